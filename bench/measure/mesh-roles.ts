/** Groups a mesh's processes by role: its nodes, and RabbitMQ, Redis and MongoDB if they run on this machine. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readConfig } from "../../core/config/config.ts";
import type { TestMesh } from "../../test/support/mesh/mesh.ts";
import { during, type Used } from "./measure.ts";

export const roles = ["gateway", "chat", "mongod", "RabbitMQ", "Redis", "other nodes"] as const;
export type MeshRole = (typeof roles)[number];
export type Pids = Readonly<Record<MeshRole, readonly number[]>>;
/** CPU used by the processes of each role together. */
export type ByRole = Readonly<Record<MeshRole, Used>>;

export function pidsOf({ env, nodes }: TestMesh): Pids {
  const named = [...nodes].map(([name, { pid }]) => ({ name, pid }));
  const nodesOf = (...begins: readonly string[]) =>
    named.filter(({ name }) => begins.some((begin) => name.startsWith(begin))).map(({ pid }) => pid);
  return {
    gateway: nodesOf("gateway"),
    chat: nodesOf("chat"),
    "other nodes": nodesOf("auth", "profile", "request", "media"),
    RabbitMQ: listeningOn(env["AMQP_URL"]!, 5672),
    Redis: listeningOn(env["REDIS_URL"]!, 6379),
    mongod: listeningOn(readConfig(env).mesh!.mongoUri, 27017),
  };
}

/** Measures each role's CPU during `act`. @returns the outcome and each role's use */
export async function duringOf<T>(pids: Pids, act: () => Promise<T>): Promise<{ outcome: T; byRole: ByRole }> {
  const { outcome, used } = await during(
    roles.flatMap((role) => pids[role]),
    act,
  );
  let next = 0;
  const byRole = Object.fromEntries(roles.map((role) => [role, sumOf(used.slice(next, (next += pids[role].length)))]));
  return { outcome, byRole: byRole as ByRole };
}

const sumOf = (used: readonly Used[]): Used => ({
  allMs: used.reduce((sum, { allMs }) => sum + allMs, 0),
  mainMs: used.reduce((sum, { mainMs }) => sum + mainMs, 0),
  wallMs: used[0]?.wallMs ?? 0,
});

/** Finds the process that listens on a port: /proc lists the listening sockets and their owners. */
function listeningOn(url: string, usualPort: number): number[] {
  const port = Number(new URL(url).port || usualPort);
  const inodes = new Set(["tcp", "tcp6"].flatMap((table) => inodesIn(readFileSync(`/proc/net/${table}`, "utf8"), port)));
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => socketsOf(pid).some((inode) => inodes.has(inode)));
}

/** proc_net(5): field 2 is the local address and port, field 4 the state (0A is LISTEN), field 10 the inode. */
const inodesIn = (table: string, port: number): string[] =>
  table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => state === "0A" && Number.parseInt(local.split(":")[1] ?? "", 16) === port)
    .map((fields) => fields[9]!);

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    return []; // not readable, or the process has exited
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
