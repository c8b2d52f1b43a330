/** Measures whether stored data delays a start: from the process's start to `/ready`, with 1,000,000 messages against none. */
import { rm } from "node:fs/promises";
import { freePort, startNode, temporaryFolder } from "../../test/support/servers/server.ts";
import type { Bench, BenchOptions } from "../measure/bench.ts";
import { pairsOf } from "../measure/measure.ts";
import { filledFolder } from "../seed/filled.ts";
import { seedHistories } from "../seed/histories.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";

const pollMs = 5;
const giveUpMs = 60_000;

async function run({ pairs, note }: BenchOptions): Promise<ResultRow[]> {
  const [{ dataDir: full }, empty] = [await filledFolder(seedHistories), await temporaryFolder()];
  try {
    // The first start of each fills the compile cache and the file cache, and creates the tables.
    const beside = async (baseline: () => Promise<number>) => (await pairsOf(pairs + 1, () => startOn(full), baseline)).slice(1);
    note("Started as by `npm start`, without npm's own time, which is the same for both.");
    const row = { unit: "ms", of: (ms: number) => ms, target: { atMost: 1.2 } };
    return [
      rowOf({ question: "start to /ready, against a store without messages", ...row }, await beside(() => startOn(empty))),
      rowOf({ question: "start to /ready, against the first start on an empty folder", ...row }, await beside(startOnNothing)),
    ];
  } finally {
    await Promise.all([full, empty].map((folder) => rm(folder, { recursive: true })));
  }
}

async function startOnNothing(): Promise<number> {
  const folder = await temporaryFolder();
  try {
    return await startOn(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** @returns milliseconds until the server was ready; it is stopped again */
async function startOn(dataDir: string): Promise<number> {
  const port = await freePort();
  const from = performance.now();
  const node = startNode("embedded", { PORT: String(port), HOST: "127.0.0.1", DATA_DIR: dataDir }, port);
  try {
    while (!(await isReady(node.statusUrl))) {
      if (node.hasEnded() || performance.now() - from > giveUpMs) throw new Error(`not ready; it printed:\n${node.log()}`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return performance.now() - from;
  } finally {
    await node.stop();
  }
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/ready`).then(
    ({ status }) => status === 200,
    () => false,
  );

export const start: Bench = {
  name: "start",
  title: "A start with 1,000,000 messages, against one without",
  worlds: ["embedded"],
  run,
};
