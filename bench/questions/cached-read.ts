/** Measures the cost of a cached read over HTTP, `GET /profile/getProfile`, against Fastify answering the same from a Map. */
import { rm } from "node:fs/promises";
import type { Bench, BenchOptions } from "../measure/bench.ts";
import { capacityOf, commonPace, capacityNote, type Drive, type Throughput } from "../measure/capacity.ts";
import { seedFolder } from "../servers/crowd.ts";
import type { HttpLoad } from "../load/http.ts";
import { shareOf } from "../load/pacing.ts";
import { loadCount, startLoad } from "../load/remote.ts";
import { during, pairsOf, percentile } from "../measure/measure.ts";
import { startBaseline, startOurs, type Served } from "../servers/servers.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";

interface HttpWindow extends Throughput {
  readonly requests: number;
  /** Ascending. */
  readonly answerMs: Float64Array;
  readonly bodyBytes: number;
}
interface HttpClients {
  readonly drive: Drive<HttpWindow>;
  readonly stop: () => Promise<unknown>;
}

const peopleCount = 100;
const connections = 256;
const baselines = [
  { how: "verify-each", said: "verifying each request's token" },
  { how: "verify-once", said: "remembering verified tokens, as ours does" },
] as const;

async function run(options: BenchOptions): Promise<ResultRow[]> {
  const seeded = await seedFolder(peopleCount);
  const tokens = seeded.people.map(({ token }) => token);
  const stops: (() => Promise<unknown>)[] = [];
  const clientsOf = async (start: Promise<Served>) => {
    const served = await start;
    stops.unshift(served.stop);
    const clients = clientsAt(served, tokens);
    stops.unshift(clients.stop);
    return clients;
  };
  try {
    const ours = await clientsOf(startOurs(seeded));
    const rows: ResultRow[] = [];
    for (const { how, said } of baselines)
      rows.push(...(await compare(ours, await clientsOf(startBaseline("profile", how)), said, options)));
    return rows;
  } finally {
    for (const stop of stops) await stop();
    await rm(seeded.dataDir, { recursive: true, force: true });
  }
}

async function compare(
  ours: HttpClients,
  fastify: HttpClients,
  said: string,
  { pairs: count, windowMs, note }: BenchOptions,
): Promise<ResultRow[]> {
  const capacity = { ours: await capacityOf(ours.drive), fastify: await capacityOf(fastify.drive) };
  const pace = commonPace(capacity.ours, capacity.fastify);
  const pairs = await pairsOf(
    count,
    () => ours.drive(pace, windowMs),
    () => fastify.drive(pace, windowMs),
  );
  const { ours: one, baseline: other } = pairs[0]!;
  note(`Against Fastify ${said}: ${capacityNote("requests", capacity.ours, "Fastify", capacity.fastify)}`);
  note(`The response body is ${one.bodyBytes} bytes, Fastify's ${other.bodyBytes}.`);
  const row = (question: string, unit: string, of: (window: HttpWindow) => number) => rowOf({ question, unit, of }, pairs);
  return [
    {
      ...row(`CPU per request, all threads; Fastify ${said}`, "µs", ({ server, requests }) => (server.allMs * 1000) / requests),
      target: { atMost: 1.7 },
    },
    row("answered, p50", "ms", ({ answerMs }) => percentile(answerMs, 50)),
    row("answered, p99", "ms", ({ answerMs }) => percentile(answerMs, 99)),
  ];
}

function clientsAt({ url, pid }: Served, tokens: readonly string[]): HttpClients {
  const loads = Array.from({ length: loadCount }, () => startLoad<HttpLoad>("http"));
  const where = { port: Number(new URL(url).port), path: "/profile/getProfile", tokens, connections: Math.ceil(connections / loadCount) };
  return {
    async drive(pace, forMs) {
      await Promise.all(loads.map((load) => load.ask("connect", where)));
      const share = shareOf(pace, 1 / loadCount);
      const act = () => Promise.all(loads.map((load) => load.ask("drive", { pace: share, forMs })));
      const { outcome, used } = await during([pid, ...loads.map((load) => load.pid)], act);
      const [server, ...clients] = used;
      return {
        server: server!,
        clients,
        requests: outcome.reduce((total, { requests }) => total + requests, 0),
        perSecond: outcome.reduce((total, { requests, tookMs }) => total + (requests / tookMs) * 1000, 0),
        answerMs: Float64Array.from(outcome.flatMap(({ answerMs }) => [...answerMs])).sort(),
        bodyBytes: outcome[0]!.body.length,
      };
    },
    stop: () => Promise.all(loads.map((load) => load.stop())),
  };
}

export const cachedRead: Bench = {
  name: "cached-read",
  title: "A cached read over HTTP, against Fastify",
  worlds: ["embedded"],
  run,
};
