/** Counts what was lost, duplicated, out of order or late in a storm, from what each client received and shows and from what is stored. */
import type { Message } from "../../client/index.ts";
import { eventually } from "../support/eventually.ts";
import type { Person, Received } from "../support/people/person.ts";
import { viewDifferences } from "../support/client/random-day.ts";
import type { CutOffSpan, ReachableTarget, StrikeReport } from "./target/fault.ts";
import type { JoinedSpan } from "./load/old-client.ts";
import type { RunningStorm, ObservedMessage, ObservedClient } from "./load/storm.ts";

export interface StormVerdict {
  readonly acknowledged: number;
  readonly durableEvents: number;
  /** One line for each finding, in this list and the next four. All five must be empty. */
  readonly lost: readonly string[];
  readonly duplicated: readonly string[];
  readonly outOfOrder: readonly string[];
  readonly viewsDiffer: readonly string[];
  readonly eventsLost: readonly string[];
  /** Over all clients that were not cut off, counted from `StrikeReport.from`, without the time that this process was stalled. */
  readonly longestSilenceMs: number;
  /** Total time that this process was stalled. */
  readonly stalledMs: number;
}

const quietWithinMs = 60_000;
const concurrency = 10;

/** Waits until clients show what is stored, and counts. @param endedAt  when the storm was ended, epoch milliseconds */
export async function assess(target: ReachableTarget, storm: RunningStorm, strike: StrikeReport, endedAt: number): Promise<StormVerdict> {
  const viewsDiffer = await findViewDifferences(storm);
  const stored = await readHistories(storm);
  const all = [...stored.values()].flat();
  const byId = new Map(all.map((message) => [message._id, message]));
  const old = storm.oldClients.flatMap(({ spans }) => spans.map((span) => checkOldClient(span, stored.get(span.chatId)!)));
  const { ledger, clients, newcomers } = storm;
  return {
    acknowledged: ledger.acknowledged,
    durableEvents: newcomers.acknowledged(),
    lost: [...sendsLost(storm, all), ...ledger.lost(byId), ...holes(stored), ...old.flatMap(({ lost }) => lost)],
    duplicated: [
      ...findDuplicates("stored", all),
      ...clients.flatMap(({ name, received }) => findDuplicates(`received by ${name}`, received)),
      ...old.flatMap(({ duplicated }) => duplicated),
    ],
    outOfOrder: [
      ...storedOutOfOrder(storm, all),
      ...clients.flatMap(({ name, received }) => receivedOutOfOrder(name, received)),
      ...old.flatMap(({ outOfOrder }) => outOfOrder),
    ],
    viewsDiffer,
    eventsLost: await eventsLost(target, storm),
    longestSilenceMs: Math.max(0, ...silences(storm, strike, endedAt), ...deliveryDelays(storm, strike)),
    stalledMs: storm.stalls.between(strike.from, Date.now()),
  };
}

/** Compares each client's view with the store, until there is no difference or a minute has passed. */
async function findViewDifferences({ clients, oldClients }: RunningStorm): Promise<string[]> {
  const deadline = Date.now() + quietWithinMs;
  const found: string[] = [];
  const queue = [...clients];
  const check = async ({ name, parley, person }: ObservedClient): Promise<void> => {
    let last: string[] = ["its view could not be compared"];
    const isEqual = async () => {
      if (parley.state !== "online") return void (last = [`is ${parley.state}`]);
      last = await viewDifferences({ parley, userId: person.id }, (path) => read(person, path));
      return last.length === 0;
    };
    await eventually("the view equals the store", isEqual, Math.max(0, deadline - Date.now())).catch(() => undefined);
    found.push(...last.map((difference) => `${name}: ${difference}`));
  };
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await check(next);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  await eventually(
    "old clients have joined their chats again",
    () => oldClients.every((one) => one.isBack()),
    Math.max(0, deadline - Date.now()),
  ).catch(() => undefined);
  return [...found, ...oldClients.filter((one) => !one.isBack()).map(() => "an old client has not joined its chats again")];
}

async function read(person: Person, path: string): Promise<Received> {
  const { status, body } = await person.get(path);
  if (status !== 200) throw new Error(`${path} answered ${status}`);
  return body;
}

/** The stored messages of every chat, read by a member who was in it from the beginning. */
async function readHistories({ chats }: RunningStorm): Promise<ReadonlyMap<string, readonly Message[]>> {
  const whole = async ([chatId, [founder]]: readonly [string, readonly Person[]]) => {
    const messages: Message[] = [];
    for (;;) {
      const page = await read(founder!, `/chat/messages/${chatId}?limit=200&after=${messages.at(-1)?.n ?? 0}`);
      if (page.length === 0) return [chatId, messages] as const;
      messages.push(...page);
    }
  };
  return new Map(await Promise.all([...chats].map(whole)));
}

const keyOf = ({ chatId, senderId, clientId }: Pick<Message, "chatId" | "senderId" | "clientId">) => `${chatId} ${senderId} ${clientId}`;

/** Messages that were acknowledged but are not stored, and permanent refusals without a reason. */
function sendsLost({ ledger: { sent, refused } }: RunningStorm, all: readonly Message[]): string[] {
  const there = new Set(all.map(keyOf));
  const lost = sent.filter((one) => one.acknowledgedAt !== undefined && !there.has(keyOf(one)));
  return [...lost.map((one) => `message ${keyOf(one)}`), ...refused.map((code) => `refused for good: ${code}`)];
}

/** Missing numbers: `n` has no holes. */
const holes = (stored: ReadonlyMap<string, readonly Message[]>): string[] =>
  [...stored].flatMap(([chatId, messages]) => {
    const there = new Set(messages.map(({ n }) => n));
    const due = Array.from({ length: messages.at(-1)?.n ?? 0 }, (_, index) => index + 1);
    return due.filter((n) => !there.has(n)).map((n) => `message ${n} is missing in ${chatId}`);
  });

function findDuplicates(where: string, messages: readonly Pick<Message, "chatId" | "senderId" | "clientId">[]): string[] {
  const seen = new Set<string>();
  return messages.flatMap((message) => {
    const key = keyOf(message);
    const isAgain = seen.has(key);
    seen.add(key);
    return isAgain ? [`${where}: ${key}`] : [];
  });
}

/** Messages that are stored after one that the same sender sent later. */
function storedOutOfOrder({ ledger: { sent } }: RunningStorm, all: readonly Message[]): string[] {
  const orders = new Map(sent.map((one) => [keyOf(one), one.order]));
  const highest = new Map<string, number>();
  return all.flatMap((message) => {
    const order = orders.get(keyOf(message));
    if (order === undefined) return [];
    const key = `${message.chatId} ${message.senderId}`;
    const before = highest.get(key) ?? 0;
    highest.set(key, Math.max(before, order));
    return order < before ? [`stored: ${keyOf(message)}`] : [];
  });
}

/**
 * Messages that a client received after one with a higher `seq`. `seq`, not `n`: a message that was edited while the client was
 * disconnected arrives at the position of the edit. Skips a client's own messages, which are emitted before they have a number.
 */
function receivedOutOfOrder(name: string, received: readonly Pick<ObservedMessage, "chatId" | "seq">[]): string[] {
  const highest = new Map<string, number>();
  return received.flatMap(({ chatId, seq }) => {
    const before = highest.get(chatId) ?? 0;
    highest.set(chatId, Math.max(before, seq));
    return seq > 0 && seq < before ? [`${name} received ${seq} after ${before} in ${chatId}`] : [];
  });
}

/** Compares what one connection of an old client received with what is stored: up to the newest message if it is still open. */
function checkOldClient({ chatId, after, received, isOpen }: JoinedSpan, stored: readonly Message[]) {
  const ns = received.map(({ n }) => n);
  const first = after === undefined ? Math.min(...ns) : after + 1;
  const last = isOpen ? stored.length : Math.max(0, ...ns);
  const there = new Set(ns);
  const due = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  const where = `an old client in ${chatId}`;
  return {
    lost: due.filter((n) => !there.has(n)).map((n) => `${where}: ${n}`),
    duplicated: ns.filter((n, i) => ns.indexOf(n) !== i).map((n) => `${where}: ${n}`),
    outOfOrder: receivedOutOfOrder(
      "an old client",
      received.map(({ seq }) => ({ chatId, seq })),
    ),
  };
}

async function eventsLost(target: ReachableTarget, { newcomers }: RunningStorm): Promise<string[]> {
  let found: string[] = ["the services could not be compared"];
  const areApplied = async () => (found = await target.inspect((inside) => newcomers.lost(inside))).length === 0;
  await eventually("followers have applied every event", areApplied, quietWithinMs).catch(() => undefined);
  return found;
}

/** For each client and chat, each span without a new message from another member, if members who were not cut off were sending. */
function silences({ clients, chats, stalls }: RunningStorm, { from, cut }: StrikeReport, endedAt: number): number[] {
  const cuts = cutSpans(clients, cut);
  const isCut = (userId: string, begin: number, end: number) =>
    (cuts.get(userId) ?? []).some((span) => span.from < end && span.until > begin);
  return clients.flatMap(({ person, received, chatIds }) =>
    chatIds.flatMap((chatId) => {
      const senders = chats.get(chatId)!.filter(({ id }) => id !== person.id && clients.some((one) => one.person.id === id));
      const others = received.filter((one) => one.chatId === chatId && one.senderId !== person.id && one.at > from && one.at < endedAt);
      const moments = [from, ...others.map(({ at }) => at), endedAt];
      return moments.slice(1).map((end, index) => {
        const begin = moments[index]!;
        const isExcused = isCut(person.id, begin, end) || senders.every(({ id }) => isCut(id, begin, end));
        return isExcused ? 0 : end - begin - stalls.between(begin, end);
      });
    }),
  );
}

/** For each message and client, the time from the acknowledgement until the client received it. */
function deliveryDelays({ clients, ledger, stalls }: RunningStorm, { from, cut }: StrikeReport): number[] {
  const cuts = cutSpans(clients, cut);
  const acknowledged = new Map(ledger.sent.map((one) => [keyOf(one), one.acknowledgedAt]));
  return clients.flatMap(({ person, received }) =>
    received
      .filter(({ seq }) => seq > 0)
      .map((one) => {
        const begin = Math.max(from, acknowledged.get(keyOf(one)) ?? Infinity);
        const isExcused = (cuts.get(person.id) ?? []).some((span) => span.from < one.at && span.until > begin);
        return isExcused || one.at < begin ? 0 : one.at - begin - stalls.between(begin, one.at);
      }),
  );
}

/** By user: the spans in which they were cut off, each until they were online again. */
function cutSpans(
  clients: readonly ObservedClient[],
  cut: readonly CutOffSpan[],
): ReadonlyMap<string, readonly Pick<CutOffSpan, "from" | "until">[]> {
  return new Map(
    clients.map(({ name, person, states }) => {
      const ofClient = cut.filter((one) => one.name === name);
      return [person.id, ofClient.map(({ from, until }) => ({ from, until: onlineSince(states, until) }))];
    }),
  );
}

/** @returns the first moment from `moment` on at which the client was online */
function onlineSince(states: ObservedClient["states"], moment: number): number {
  const before = states.findLast(({ at }) => at <= moment);
  if (before === undefined || before.state === "online") return moment;
  return states.find(({ at, state }) => at > moment && state === "online")?.at ?? Infinity;
}
