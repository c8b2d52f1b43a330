/**
 * Measures how chat nodes scale: the CPU that each role of a mesh uses per message with one chat node and with three, on the same RabbitMQ,
 * Redis and MongoDB. Also shows that no lock spans chats: one chat is locked in the store while others are sent to.
 */
import mongoose from "mongoose";
import type { MongoRow as StoredRow, MongoRows } from "../../core/store/mongo/collections.ts";
import type { TestSocket } from "../../test/support/people/person.ts";
import type { Bench, BenchOptions } from "../measure/bench.ts";
import { capacityOf, commonPace, type Drive } from "../measure/capacity.ts";
import { percentileOf, connectCrowd, sharesOf, type Crowd, type ChatWindow } from "../servers/crowd.ts";
import { pairsOf, spreadOf, type MeasuredPair } from "../measure/measure.ts";
import { duringOf, pidsOf, roles, type ByRole, type Pids, type MeshRole } from "../measure/mesh-roles.ts";
import { filledMesh, type Fill, type FilledMesh } from "../seed/filled.ts";
import { chatsOf, loadClientsOf, seedCircles, type Circle } from "../seed/groups.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";

const circles = { circles: 20, size: 5, chats: 3 };
const fill: Fill<Circle[]> = (store, urls) => seedCircles(store, urls, [circles]);
/** The roles that do most of the work for a message. */
const heavy = ["gateway", "chat", "mongod", "RabbitMQ"] as const;
/** Tolerance within which a ratio counts as constant. */
const flat = { atLeast: 0.85, atMost: 1.15 };
/** Shorter than mongod keeps the transaction of a dead node. */
const heldMs = 2000;
/** Additional chat nodes. */
const moreNodes = ["chatB", "chatC"] as const;
const chatNodes = 1 + moreNodes.length;
const warmUp = { concurrency: 64, forMs: 10_000 };

/** CPU of each role in milliseconds per second. */
type RoleLoad = Readonly<Record<MeshRole, number>>;
interface RoleWindow extends ChatWindow {
  readonly load: RoleLoad;
}
interface MeshSide {
  readonly filled: FilledMesh<Circle[]>;
  readonly pids: Pids;
  readonly crowd: Crowd;
  readonly drive: Drive<RoleWindow>;
}

async function run({ pairs: count, windowMs, note }: BenchOptions): Promise<ResultRow[]> {
  const sides: MeshSide[] = [];
  try {
    for (const more of [moreNodes, []]) sides.push(await startSide(more));
    const [three, one] = sides as [MeshSide, MeshSide];
    // Warm up until every node has compiled its hot code; with three nodes each has a third of the chats.
    for (const { drive } of [three, one, three]) await drive({ concurrency: warmUp.concurrency }, warmUp.forMs);
    const pace = commonPace(await capacityOf(three.drive), await capacityOf(one.drive));
    const idle = { ours: await idleOf(three, windowMs), baseline: await idleOf(one, windowMs) };
    const beyondIdleOf = async (onePace: typeof pace) => {
      const pairs = await pairsOf(
        count,
        () => three.drive(pace, windowMs),
        () => one.drive(onePace, windowMs),
      );
      return pairs.map(({ ours, baseline }) => ({ ours: beyondIdle(ours, idle.ours), baseline: beyondIdle(baseline, idle.baseline) }));
    };
    const sameInAll = await beyondIdleOf(pace);
    const sameEach = await beyondIdleOf({ perSecond: pace.perSecond / chatNodes });
    note(
      `Ours has three chat nodes, the baseline one; both run at ${Math.round(pace.perSecond)} messages/s in ${chatsOf(three.filled.content).length} chats. ` +
        `Idle CPU is subtracted: ${loadNote(idle.ours)} with three, ${loadNote(idle.baseline)} with one.`,
    );
    return [...rowsOf(sameInAll), rowOfChat(sameEach), ...(await besideHeld(three, count, pace))];
  } finally {
    for (const { crowd, filled } of sides.reverse()) {
      await crowd.leave();
      await filled.remove();
    }
  }
}

/** @param more  chat nodes besides the first */
async function startSide(more: readonly string[]): Promise<MeshSide> {
  const filled = await filledMesh(fill, ["gatewayB", "chatB"]);
  const { mesh, urls, content } = filled;
  await Promise.all(more.map((name) => mesh.start(name, "chat")));
  const pids = pidsOf(mesh);
  const crowd = await connectCrowd({ url: urls[0], pid: mesh.node("gatewayA").pid }, sharesOf(content.map(loadClientsOf)), "subscribe");
  const drive: Drive<RoleWindow> = async (pace, forMs) => {
    const { outcome, byRole } = await duringOf(pids, () => crowd.drive({ chatIds: chatsOf(content), pace, forMs }));
    return { ...outcome, load: loadOf(byRole) };
  };
  return { filled, pids, crowd, drive };
}

const mapRoles = (of: (role: MeshRole) => number): RoleLoad => Object.fromEntries(roles.map((role) => [role, of(role)])) as RoleLoad;
const loadOf = (byRole: ByRole): RoleLoad => mapRoles((role) => (byRole[role].allMs * 1000) / byRole[role].wallMs);
const loadNote = (load: RoleLoad): string => roles.map((role) => `${role} ${Math.round(load[role] / 10)} %`).join(", ");
const beyondIdle = (measured: RoleWindow, idle: RoleLoad): RoleWindow => ({
  ...measured,
  load: mapRoles((role) => measured.load[role] - idle[role]),
});

/** CPU used while no messages are sent. */
async function idleOf({ pids }: MeshSide, forMs: number): Promise<RoleLoad> {
  const { byRole } = await duringOf(pids, () => new Promise((resolve) => setTimeout(resolve, forMs)));
  return loadOf(byRole);
}

const messageCpu =
  (used: (load: RoleLoad) => number) =>
  ({ load, perSecond }: RoleWindow): number =>
    (used(load) * 1000) / perSecond;

/** A node with fewer messages amortises its fixed work over fewer. This row separates that effect from the cost of additional nodes. */
const rowOfChat = (pairs: readonly MeasuredPair<RoleWindow>[]): ResultRow =>
  rowOf(
    {
      question: "the same, with equal messages per node: chat",
      unit: "µs",
      of: messageCpu(({ chat }) => chat),
      target: { atMost: flat.atMost },
    },
    pairs,
  );

function rowsOf(pairs: readonly MeasuredPair<RoleWindow>[]): ResultRow[] {
  const row = (who: string, used: (load: RoleLoad) => number): ResultRow =>
    rowOf({ question: `3 chat nodes against 1: CPU per message, ${who}`, unit: "µs", of: messageCpu(used), target: flat }, pairs);
  const all = (load: RoleLoad) => roles.reduce((sum, role) => sum + load[role], 0);
  // No target, since a ratio of very small figures means nothing: Redis only forwards a message, and the other nodes have no part in one.
  const light = (role: MeshRole): ResultRow => {
    const { question, unit, ours, baseline } = row(role, (load) => load[role]);
    return { question, unit, ours, ...(baseline === undefined ? {} : { baseline }) };
  };
  return [...heavy.map((role) => row(role, (load) => load[role])), row("all together", all), light("Redis"), light("other nodes")];
}

/** Locks one chat's row with a separate transaction, and sends in that chat and in all others. */
async function besideHeld({ filled, crowd }: MeshSide, count: number, pace: { readonly perSecond: number }): Promise<ResultRow[]> {
  const { location, content, urls } = filled;
  const [chatId, ...others] = chatsOf(content) as [string, ...string[]];
  const line = await content[0]!.people[0]!.at(urls[0]).connectAndSubscribe();
  const client = new mongoose.mongo.MongoClient(location[1]);
  try {
    const rows = client.db(`${location[2]}_chat`).collection<StoredRow>("chats");
    const drive = () => crowd.drive({ chatIds: others, pace, forMs: heldMs });
    const rounds: { readonly felt: MeasuredPair<ChatWindow>; readonly inHeldMs: number }[] = [];
    for (let i = 0; i < count; i++) {
      const baseline = await drive();
      const { outcome: ours, inHeldMs } = await whileHeld(client, rows, chatId, line, drive);
      rounds.push({ felt: { ours, baseline }, inHeldMs });
    }
    return heldRows(rounds);
  } finally {
    line.close();
    await client.close();
  }
}

async function whileHeld<T>(client: mongoose.mongo.MongoClient, rows: MongoRows, chatId: string, line: TestSocket, act: () => Promise<T>) {
  const session = client.startSession();
  try {
    session.startTransaction();
    await rows.updateOne({ _id: chatId }, { $set: { held: true } }, { session });
    const from = performance.now();
    const inHeld = line.callOrThrow("sendMessage", { chatId, text: "Is anybody there?" }).then(() => performance.now() - from);
    const outcome = await act();
    await session.abortTransaction();
    return { outcome, inHeldMs: await inHeld };
  } finally {
    await session.endSession();
  }
}

function heldRows(rounds: readonly { readonly felt: MeasuredPair<ChatWindow>; readonly inHeldMs: number }[]): ResultRow[] {
  const felt = rounds.map((round) => round.felt);
  const late = felt.map(({ ours }) => ours.ackMs.filter((ms) => ms > heldMs / 2).length);
  const row = (percent: number) =>
    rowOf(
      {
        question: `one chat locked: acknowledgement in the others, p${percent}, against before`,
        unit: "ms",
        of: percentileOf(percent, ({ ackMs }) => ackMs),
      },
      felt,
    );
  return [
    {
      question: "one chat locked for 2 s: its own send waits",
      unit: "ms",
      ours: spreadOf(rounds.map(({ inHeldMs }) => inHeldMs)),
      target: { atLeast: heldMs },
    },
    { question: "one chat locked for 2 s: sends in the others that wait over 1 s", unit: "", ours: spreadOf(late), target: { atMost: 0 } },
    row(50),
    row(99),
  ];
}

export const rolesBench: Bench = {
  name: "roles",
  title: "CPU of each role of a mesh per message, with three chat nodes against one",
  worlds: ["mesh"],
  run,
};
