/**
 * Locations for single nodes whose connection to RabbitMQ, Redis and mongod can be cut, in either direction, and healed. They are network
 * namespaces behind a bridge where this process may create them, else TCP proxies. Clients reach a node over another network, which is
 * never cut.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cleanUpOnExit } from "../cleanup-on-exit.ts";
import { openTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
import type { ServerEnv, NodeLocation } from "../servers/server.ts";

/** The packets of the node that are lost. */
export type CutDirection = "both" | "incoming" | "outgoing";

/** A location of a node that can be cut off. */
export interface CuttableLocation extends NodeLocation {
  /** The means by which it is cut, to be printed beside results. */
  readonly means: "network namespaces" | "TCP proxies";
  /** The URLs by which the node reaches the infrastructure. */
  readonly env: ServerEnv;
  /** Drops all packets without closing connections, as a broken cable does. */
  cut(direction: CutDirection): void;
  heal(): Promise<void>;
}
export interface CuttableNetwork {
  /** The address that the infrastructure must listen on. */
  readonly address: string;
  /** @param infrastructure  URLs of the infrastructure, by the name of their variable */
  addLocation(infrastructure: ServerEnv): Promise<CuttableLocation>;
  /** Removes it, when the nodes in it have ended. */
  close(): Promise<void>;
}

const prefix = "parley";
/** A process's two networks: to the infrastructure and to clients. RFC 2544 reserves their addresses for tests. */
const nets = [`198.18.${process.pid % 256}`, `198.19.${process.pid % 256}`] as const;
const bridge = `${prefix}${process.pid}`;
/** The hardware address of a machine that does not exist. Packets to it are lost. */
const missingMachine = "02:00:00:00:00:01";

const ip = (command: string): string => execFileSync("ip", command.split(" "), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

let forget: (() => void) | undefined;

export function openNetwork(): CuttableNetwork {
  try {
    removeLeftovers();
    ip(`link add ${bridge} type bridge`);
    forget = cleanUpOnExit(remove);
    for (const net of nets) ip(`address add ${net}.1/24 dev ${bridge}`);
    ip(`link set ${bridge} up`);
    // Namespaces need other rights than a bridge, so try one.
    removeNamespace(addNamespace(254));
    return inNamespaces();
  } catch {
    remove();
    return byProxies();
  }
}

function inNamespaces(): CuttableNetwork {
  let made = 1;
  return {
    address: `${nets[0]}.1`,
    addLocation(env) {
      made += 1;
      const namespace = addNamespace(made);
      const towards = [`-n ${namespace} neighbour`, `dev eth0`, `${nets[0]}.1`] as const;
      const from = [`neighbour`, `dev ${bridge}`, `${nets[0]}.${made}`] as const;
      const cuts = { both: [towards, from], incoming: [from], outgoing: [towards] };
      return Promise.resolve({
        means: "network namespaces",
        namespace,
        address: `${nets[1]}.${made}`,
        env,
        cut(direction) {
          for (const [table, device, address] of cuts[direction])
            ip(`${table} replace ${address} lladdr ${missingMachine} nud permanent ${device}`);
        },
        heal() {
          for (const [table, device] of cuts.both) ip(`${table} flush nud permanent ${device}`);
          return Promise.resolve();
        },
      });
    },
    close() {
      forget?.();
      remove();
      return Promise.resolve();
    },
  };
}

const nameOf = (number: number): string => `${prefix}-${process.pid}-${number}`;

/** Adds a namespace on the bridge. @param number  the last number of its addresses, from 2 */
function addNamespace(number: number): string {
  const namespace = nameOf(number);
  const cable = cableOf(namespace);
  ip(`netns add ${namespace}`);
  ip(`link add ${cable} type veth peer name eth0 netns ${namespace}`);
  ip(`link set ${cable} master ${bridge} up`);
  for (const net of nets) ip(`-n ${namespace} address add ${net}.${number}/24 dev eth0`);
  for (const device of ["lo", "eth0"]) ip(`-n ${namespace} link set ${device} up`);
  return namespace;
}

const cableOf = (namespace: string): string => namespace.replace(`${prefix}-`, "p");

/** Removes the cable first. Removed with its namespace, it would keep its name in use for some time. */
function removeNamespace(namespace: string): void {
  attempt(() => ip(`link delete ${cableOf(namespace)}`));
  ip(`netns delete ${namespace}`);
}

const attempt = (step: () => void): void => {
  try {
    step();
  } catch {
    // There is nothing to remove.
  }
};

/** Removes everything that this process created. */
function remove(): void {
  removeOf(process.pid);
}

function removeOf(pid: number): void {
  for (const namespace of namespaces().filter((name) => name.startsWith(`${prefix}-${pid}-`))) attempt(() => removeNamespace(namespace));
  attempt(() => ip(`link delete ${prefix}${pid}`));
}

/** Removes what killed test runs left, and ends the nodes that still run there. */
function removeLeftovers(): void {
  const dead = new Set(namespaces().map((name) => Number(name.split("-")[1])));
  for (const pid of dead) {
    if (existsSync(`/proc/${pid}`)) continue;
    for (const namespace of namespaces().filter((name) => name.startsWith(`${prefix}-${pid}-`))) {
      for (const left of ip(`netns pids ${namespace}`).split("\n").filter(Boolean)) process.kill(Number(left), "SIGKILL");
    }
    removeOf(pid);
  }
}

/** The names of the namespaces that this process and others created. */
function namespaces(): string[] {
  try {
    return [...ip("netns list").matchAll(new RegExp(`^${prefix}-\\d+-\\d+`, "gm"))].map(([name]) => name);
  } catch {
    return [];
  }
}

function byProxies(): CuttableNetwork {
  const proxies: TcpProxy[] = [];
  return {
    address: "127.0.0.1",
    async addLocation(infrastructure) {
      const located = await Promise.all(
        Object.entries(infrastructure).map(async ([name, url]) => [name, await openTcpProxy(url)] as const),
      );
      proxies.push(...located.map(([, proxy]) => proxy));
      return {
        means: "TCP proxies",
        address: "127.0.0.1",
        env: Object.fromEntries(located.map(([name, { url }]) => [name, direct(url)])),
        cut(direction) {
          for (const [, proxy] of located) {
            if (direction !== "incoming") proxy.hold("client");
            if (direction !== "outgoing") proxy.hold("server");
          }
        },
        async heal() {
          await Promise.all(located.map(([, proxy]) => proxy.mend()));
        },
      };
    },
    async close() {
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

/** Makes a MongoDB URL connect directly. A replica set's member announces its own address, by which the driver would bypass the proxy. */
function direct(url: string): string {
  const given = new URL(url);
  if (given.protocol !== "mongodb:") return url;
  given.searchParams.delete("replicaSet");
  given.searchParams.set("directConnection", "true");
  return given.href;
}
