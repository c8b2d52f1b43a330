/** The fault test's clients and ledger at the proxy of a running project, while `docker kill` ends each node in turn. */
import { setTimeout as pause } from "node:timers/promises";
import type { CutOffSpan, FaultEntry, ReachableTarget, Storm, StrikeReport } from "../faults/target/fault.ts";
import { smallSize } from "../faults/load/storm.ts";
import type { FaultOutcome } from "../faults/report.ts";
import { runFault } from "../faults/trial.ts";
import { inspectMesh } from "../faults/target/start.ts";
import { openTcpProxy } from "../support/fault-injection/tcp-proxy.ts";
import type { ComposeProject } from "./project.ts";
import { run } from "./docker/shell.ts";

const deadMs = 3000;
const healthyWithinMs = 120_000;
/** The proxy chooses a gateway by address: so many make sure that both are chosen. */
const addresses = 8;

const fault: FaultEntry = {
  name: "docker-kill",
  what: "each node's container is killed (docker kill) and started again",
  // Of a machine that runs all of this besides: what is held to here are the counts.
  promiseMs: 60_000,
};

/** @param say  told of each kill */
export async function killEachNode(project: ComposeProject, say: (line: string) => void): Promise<FaultOutcome> {
  const { world, close } = await worldOf(project);
  try {
    return await runFault(world, fault, smallSize, (storm) => strike(project, storm, say));
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
    await pause(deadMs);
    await project.docker(["start", name]);
    await project.healthy(healthyWithinMs);
    const until = Date.now();
    // Nobody knows which gateway the proxy has chosen for whom.
    if (service.startsWith("gateway")) cut.push(...storm.clients.map((one) => ({ name: one.name, from: before.at, until })));
    const changes = storm.acknowledged() - before.acknowledged;
    say(`${name} killed, healthy again after ${((until - before.at) / 1000).toFixed(1)} s; ${changes} changes acknowledged meanwhile`);
  }
  return { from, cut };
}

const gateways = ["gateway-1", "gateway-2"] as const;

/** @throws Error  the proxy has sent all clients to one gateway */
async function connectionsOf(project: ComposeProject): Promise<string> {
  // Established ones (01) to port 3000, as the kernel lists them.
  const count = `process.stdout.write(String(fs.readFileSync("/proc/net/tcp", "utf8").match(/:0BB8 \\S+ 01 /g)?.length ?? 0))`;
  const counts = await Promise.all(
    gateways.map(async (service) => Number(await project.inside((await project.container(service)).name, count))),
  );
  if (counts.includes(0)) throw new Error(`connections at ${gateways.join(", ")}: ${counts.join(", ")}`);
  return `connections at ${gateways.join(", ")}: ${counts.join(", ")}`;
}

/** Clients reach the proxy on its container's own address, from several addresses of this machine on the same bridge. */
async function worldOf(project: ComposeProject): Promise<{ readonly world: ReachableTarget; readonly close: () => Promise<void> }> {
  const { addresses: of, name } = await project.container("proxy");
  const proxy = of["outside"]!;
  const network = await project.docker([
    "inspect",
    name,
    "--format",
    "{{range .NetworkSettings.Networks}}{{.NetworkID}} {{.IPAddress}}\n{{end}}",
  ]);
  const id = network.split("\n").find((line) => line.endsWith(` ${proxy}`))!;
  const local = Array.from({ length: addresses }, (_, index) => proxy.replace(/\d+$/, String(200 + index)));
  for (const address of local) await run("ip", ["addr", "add", `${address}/24`, "dev", `br-${id.slice(0, 12)}`]);
  const ways = await Promise.all(local.map((address) => openTcpProxy(`http://${proxy}:80`, address)));
  const env = await environmentOf(project);
  return {
    world: {
      gateways: ways.map(({ url }) => url.replace(/\/$/, "")),
      inspect: (see) => inspectMesh(env, see),
      stop: () => Promise.resolve(),
    },
    async close() {
      await Promise.all(ways.map((way) => way.close()));
    },
  };
}

/** A node's environment, as it is for someone outside of the containers: their addresses in place of their names. */
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
