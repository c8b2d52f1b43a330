/** What an idle connection costs in memory: authenticated, hearing five chats, beside bare Socket.IO with its sockets in five rooms. */
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
/** People who share chats with each other and with nobody else. */
const blockSize = 50;
/** Each arranges a block into groups anew: numbers without a divisor in common with its size. */
const strides = [1, 3, 7, 9, 11] as const;
/** Between two collections held memory differs by less than this when nothing goes on any more. */
const quiet = 0.002;

async function run({ pairs: count, note }: BenchOptions): Promise<ResultRow[]> {
  const place = await seedFolder(many);
  try {
    const seats = await makeGroups(place);
    const pairs = await pairsOf(
      count,
      () => slope(startOurs(place), seats, "subscribe"),
      () => slope(startBaseline("chat"), seats, "join"),
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
      row("memory a connection, resident", ({ rssBytes }) => rssBytes),
      row("memory a connection, held by JavaScript", ({ heldBytes }) => heldBytes),
    ];
  } finally {
    await rm(place.dataDir, { recursive: true, force: true });
  }
}

const mega = (bytes: number): number => Math.round(bytes / 1024 / 1024);

/** Makes everybody's five groups at Parley, once for all measurements. */
async function makeGroups(place: SeededFolder): Promise<LoadClient[]> {
  const ours = await startOurs(place);
  try {
    const chatIds = place.people.map((): string[] => []);
    for (let first = 0; first < many; first += blockSize) {
      for (const group of strides.flatMap((stride) => groupsOf(first, stride))) {
        const chatId = await makeGroup(group.map((member) => place.people[member]!));
        for (const member of group) chatIds[member]!.push(chatId);
      }
    }
    return place.people.map(({ token }, i) => ({ token, chatIds: chatIds[i]! }));
  } finally {
    await ours.stop();
  }
}

/** A block's people in groups, by their numbers. */
function groupsOf(first: number, stride: number): number[][] {
  const order = Array.from({ length: blockSize }, (_, i) => first + ((i * stride) % blockSize));
  return Array.from({ length: blockSize / groupSize }, (_, group) => order.slice(group * groupSize, (group + 1) * groupSize));
}

interface Slope {
  readonly atFew: Memory;
  readonly atMany: Memory;
}

async function slope(start: Promise<Served>, seats: readonly LoadClient[], enter: "subscribe" | "join"): Promise<Slope> {
  const served = await start;
  const crowds = [];
  try {
    crowds.push(await connectCrowd(served, sharesOf([seats.slice(0, few)]), enter));
    const atFew = await settledMemory(served);
    crowds.push(await connectCrowd(served, sharesOf([seats.slice(few)]), enter));
    return { atFew, atMany: await settledMemory(served) };
  } finally {
    for (const crowd of crowds) await crowd.leave();
    await served.stop();
  }
}

/** Memory once nothing changes any more. */
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
  title: `An idle connection that hears five chats, from ${few} to ${many} of them, beside bare Socket.IO`,
  worlds: ["embedded"],
  run,
};
