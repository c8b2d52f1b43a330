/**
 * `npm run bench`: measures Parley's speed as ratios to bare servers on the same libraries, in the same run. Prints a table for each bench
 * and writes all results as JSON. A missed target is reported; only a bench that fails makes the command fail.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { Bench, BenchMode } from "./measure/bench.ts";
import { cachedRead } from "./questions/cached-read.ts";
import { connections } from "./questions/connections.ts";
import { chats } from "./questions/chats.ts";
import { durable } from "./questions/durable.ts";
import { fanOut } from "./questions/fan-out.ts";
import { history } from "./questions/history.ts";
import { reconnect } from "./questions/reconnect.ts";
import { rolesBench } from "./questions/roles.ts";
import { start } from "./questions/start.ts";
import { isMet, tableOf, type ResultRow } from "./measure/table.ts";

const benches: readonly Bench[] = [fanOut, durable, cachedRead, connections, history, start, rolesBench, chats, reconnect];

const { values } = parseArgs({
  options: {
    /** Runs on RabbitMQ, Redis and MongoDB instead of embedded. */
    mesh: { type: "boolean", default: false },
    /** Names of the benches to run. */
    only: { type: "string", multiple: true },
    list: { type: "boolean", default: false },
    pairs: { type: "string", default: "5" },
    /** Length of each measurement window. */
    seconds: { type: "string", default: "5" },
    json: { type: "string", default: "coverage/bench.json" },
  },
});
const world: BenchMode = values.mesh ? "mesh" : "embedded";
const print = (text: string): void => void process.stdout.write(`${text}\n`);

interface Result {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly (ResultRow & { readonly isMet: boolean | undefined })[];
  readonly notes: readonly string[];
}

async function result(bench: Bench): Promise<Result> {
  print(`\n## ${bench.title}\n`);
  const notes: string[] = [];
  const windowMs = Number(values.seconds) * 1000;
  const rows = await bench.run({ world, pairs: Number(values.pairs), windowMs, note: (text) => notes.push(text) });
  print(tableOf(rows));
  for (const note of notes) print(`\n${note}`);
  return { name: bench.name, title: bench.title, rows: rows.map((row) => ({ ...row, isMet: isMet(row) })), notes };
}

function chosen(): readonly Bench[] {
  const { only } = values;
  const here = benches.filter(({ worlds }) => worlds.includes(world));
  if (only === undefined) return here;
  const unknown = only.filter((name) => here.every((bench) => bench.name !== name));
  if (unknown.length > 0)
    throw new Error(`no ${world} bench ${unknown.join(", ")}; choose from ${here.map(({ name }) => name).join(", ")}`);
  return here.filter(({ name }) => only.includes(name));
}

async function main(): Promise<void> {
  const chosenBenches = chosen();
  if (values.list) {
    for (const { name, title } of chosenBenches) print(`${name}: ${title}`);
    return;
  }
  const cores = availableParallelism();
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? "unknown", cores, loadBefore: loadavg()[0]! };
  print(`Node ${machine.node}, ${cores} cores (${machine.cpu}), load ${machine.loadBefore.toFixed(2)} before`);
  const results: Result[] = [];
  for (const bench of chosenBenches) results.push(await result(bench));
  const missed = results.flatMap(({ rows }) => rows).filter((row) => row.isMet === false);
  print(`\n${missed.length === 0 ? "Every target was met." : `Missed: ${missed.map(({ question }) => question).join("; ")}.`}`);
  await mkdir(dirname(values.json), { recursive: true });
  await writeFile(values.json, `${JSON.stringify({ world, machine, results }, undefined, 2)}\n`);
}

await main();
