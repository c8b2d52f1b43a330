/**
 * Measures the memory of an idle connection: authenticated and subscribed to five chats, against bare Socket.IO with its sockets in five
 * rooms.
 */
import { rm } from "node:fs/promises";
import type { Bench, BenchOptions } from "../measure/bench.ts";
import { connectCrowd, makeGroup, seedFolder, sharesOf, type SeededFolder } from "../servers/crowd.ts";
import type { LoadClient } from "../load/chat.ts";
import { pairsOf } from "../measure/measure.ts";
import type { Memory } from "../servers/probe.ts";
import { startBaseline, startOurs, type Served } from "../servers/servers.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";

const few = 200;
const many = 2000;
const groupSize = 10;
/** Number of users who share chats only with each other. */
const blockSize = 50;
/** Strides that arrange a block into different groups; each is coprime to the block size. */
const strides = [1, 3, 7, 9, 11] as const;
/** Relative change of the heap between two collections below which it counts as settled. */
const quiet = 0.002;

async function run({ pairs: count, note }: BenchOptions): Promise<ResultRow[]> {
  const seeded = await seedFolder(many);
  try {
    const loadClients = await makeGroups(seeded);
    const pairs = await pairsOf(
      count,
      () => slope(startOurs(seeded), loadClients, "subscribe"),
      () => slope(startBaseline("chat"), loadClients, "join"),
    );
    const { ours, baseline } = pairs[0]!;
    const megabytes = ({ atFew, atMany }: Slope) => `${mega(atFew.rssBytes)} MB with ${few}, ${mega(atMany.rssBytes)} MB with ${many}`;
    note(`Resident memory: ours ${megabytes(ours)}; bare Socket.IO ${megabytes(baseline)}.`);
    const row = (question: string, of: (memory: Memory) => number) =>
      rowOf(
        { question, unit: "kB", target: { atMost: 1.5 }, of: (one: Slope) => (of(one.atMany) - of(one.atFew)) / (many - few) / 1024 },
        pairs,
      );
    return [
      row("memory per connection, resident", ({ rssBytes }) => rssBytes),
      row("memory per connection, held by JavaScript", ({ heldBytes }) => heldBytes),
    ];
  } finally {
    await rm(seeded.dataDir, { recursive: true, force: true });
  }
}

const mega = (bytes: number): number => Math.round(bytes / 1024 / 1024);

/** Creates each user's five groups in Parley, once for all measurements. */
async function makeGroups(seeded: SeededFolder): Promise<LoadClient[]> {
  const ours = await startOurs(seeded);
  try {
    const chatIds = seeded.people.map((): string[] => []);
    for (let first = 0; first < many; first += blockSize) {
      for (const group of strides.flatMap((stride) => groupsOf(first, stride))) {
        const chatId = await makeGroup(group.map((member) => seeded.people[member]!));
        for (const member of group) chatIds[member]!.push(chatId);
      }
    }
    return seeded.people.map(({ token }, i) => ({ token, chatIds: chatIds[i]! }));
  } finally {
    await ours.stop();
  }
}

/** Groups of a block's users, as indexes. */
function groupsOf(first: number, stride: number): number[][] {
  const order = Array.from({ length: blockSize }, (_, i) => first + ((i * stride) % blockSize));
  return Array.from({ length: blockSize / groupSize }, (_, group) => order.slice(group * groupSize, (group + 1) * groupSize));
}

interface Slope {
  readonly atFew: Memory;
  readonly atMany: Memory;
}

async function slope(start: Promise<Served>, loadClients: readonly LoadClient[], enter: "subscribe" | "join"): Promise<Slope> {
  const served = await start;
  const crowds = [];
  try {
    crowds.push(await connectCrowd(served, sharesOf([loadClients.slice(0, few)]), enter));
    const atFew = await settledMemory(served);
    crowds.push(await connectCrowd(served, sharesOf([loadClients.slice(few)]), enter));
    return { atFew, atMany: await settledMemory(served) };
  } finally {
    for (const crowd of crowds) await crowd.leave();
    await served.stop();
  }
}

/** Waits until memory has settled, and returns it. */
async function settledMemory(served: Served): Promise<Memory> {
  let before = await served.memory();
  for (;;) {
    const now = await served.memory();
    if (Math.abs(now.heldBytes - before.heldBytes) < now.heldBytes * quiet) return now;
    before = now;
  }
}

export const connections: Bench = {
  name: "connections",
  title: `An idle connection subscribed to five chats, from ${few} to ${many} of them, against bare Socket.IO`,
  worlds: ["embedded"],
  run,
};
