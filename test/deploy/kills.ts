/** Runs a storm of the fault test through the proxy of a running project, while `docker kill` kills each node in turn. */
import { setTimeout as pause } from "node:timers/promises";
import type { CutOffSpan, FaultEntry, ReachableTarget, Storm, StrikeReport } from "../faults/target/fault.ts";
import { smallSize } from "../faults/load/storm.ts";
import type { FaultOutcome } from "../faults/report.ts";
import { runFault } from "../faults/trial.ts";
import { inspectMesh } from "../faults/target/start.ts";
import { openTcpProxy } from "../support/fault-injection/tcp-proxy.ts";
import type { ComposeProject } from "./project.ts";
import { run } from "./docker/shell.ts";

const downMs = 3000;
const healthyWithinMs = 120_000;
/** The proxy chooses a gateway by the client's address. With eight addresses, it uses both gateways. */
const addresses = 8;

const fault: FaultEntry = {
  name: "docker-kill",
  what: "each node's container is killed (docker kill) and restarted",
  // Not a measurement, because this machine runs everything at once. Only the counts are checked.
  promiseMs: 60_000,
};

/** @param say  prints a line for each kill */
export async function killEachNode(project: ComposeProject, say: (line: string) => void): Promise<FaultOutcome> {
  const { target, close } = await openTarget(project);
  try {
    return await runFault(target, fault, smallSize, (storm) => strike(project, storm, say));
  } finally {
    await close();
  }
}

async function strike(project: ComposeProject, storm: Storm, say: (line: string) => void): Promise<StrikeReport> {
  const from = Date.now();
  const cut: CutOffSpan[] = [];
  say(await connectionsOf(project));
  const nodes = (await project.containers()).filter(({ isOurs, isRunning }) => isOurs && isRunning);
  for (const { name, service } of nodes) {
    const before = { at: Date.now(), acknowledged: storm.acknowledged() };
    await project.docker(["kill", name]);
    await pause(downMs);
    await project.docker(["start", name]);
    await project.healthy(healthyWithinMs);
    const until = Date.now();
    // It is unknown which gateway the proxy chose for a client, so mark all.
    if (service.startsWith("gateway")) cut.push(...storm.clients.map((one) => ({ name: one.name, from: before.at, until })));
    const changes = storm.acknowledged() - before.acknowledged;
    say(`${name} killed, healthy again after ${((until - before.at) / 1000).toFixed(1)} s, ${changes} changes acknowledged meanwhile`);
  }
  return { from, cut };
}

const gateways = ["gateway-1", "gateway-2"] as const;

/** @returns how many connections each gateway has @throws Error  the proxy sent all clients to one gateway */
async function connectionsOf(project: ComposeProject): Promise<string> {
  // Counts established connections (01) to port 3000 (0BB8) in the kernel's table.
  const count = `process.stdout.write(String(fs.readFileSync("/proc/net/tcp", "utf8").match(/:0BB8 \\S+ 01 /g)?.length ?? 0))`;
  const counts = await Promise.all(
    gateways.map(async (service) => Number(await project.inside((await project.container(service)).name, count))),
  );
  if (counts.includes(0)) throw new Error(`connections at ${gateways.join(", ")}: ${counts.join(", ")}`);
  return `connections at ${gateways.join(", ")}: ${counts.join(", ")}`;
}

/** Connects to the container of the proxy from several addresses of this machine, and access to the mesh's store and queue. */
async function openTarget(project: ComposeProject): Promise<{ readonly target: ReachableTarget; readonly close: () => Promise<void> }> {
  const { addresses: byNetwork, name } = await project.container("proxy");
  const proxy = byNetwork["outside"]!;
  const network = await project.docker([
    "inspect",
    name,
    "--format",
    "{{range .NetworkSettings.Networks}}{{.NetworkID}} {{.IPAddress}}\n{{end}}",
  ]);
  const id = network.split("\n").find((line) => line.endsWith(` ${proxy}`))!;
  const local = Array.from({ length: addresses }, (_, index) => proxy.replace(/\d+$/, String(200 + index)));
  for (const address of local) await run("ip", ["addr", "add", `${address}/24`, "dev", `br-${id.slice(0, 12)}`]);
  const proxies = await Promise.all(local.map((address) => openTcpProxy(`http://${proxy}:80`, address)));
  const env = await environmentOf(project);
  return {
    target: {
      gateways: proxies.map(({ url }) => url.replace(/\/$/, "")),
      inspect: (read) => inspectMesh(env, read),
      stop: () => Promise.resolve(),
    },
    async close() {
      await Promise.all(proxies.map((one) => one.close()));
    },
  };
}

/** The environment of a process outside the containers: the containers' addresses in place of their names. */
async function environmentOf(project: ComposeProject): Promise<Readonly<Record<string, string>>> {
  const [core, mongo, rabbitmq, redis] = await Promise.all(
    ["core", "mongo", "rabbitmq", "redis"].map((service) => project.container(service)),
  );
  const secret = async (name: string) =>
    (await project.inside(core!.name, `process.stdout.write(fs.readFileSync("/secrets/nodes/${name}", "utf8"))`)).trim();
  const inner = (container: typeof core) => container!.addresses["inner"]!;
  return {
    MONGO_URI: `mongodb://${inner(mongo)}:27017/?directConnection=true`,
    AMQP_URL: (await secret("amqp-url")).replace("@rabbitmq:", `@${inner(rabbitmq)}:`),
    REDIS_URL: (await secret("redis-url")).replace("@redis:", `@${inner(redis)}:`),
    JWT_SECRET: await secret("jwt-secret"),
  };
}
