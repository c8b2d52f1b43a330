/** What is counted after a fault, from what every client was told and holds and from what is stored, once it is quiet again. */
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
  /** What is wrong, each with where; nothing else may be in a table that stands. */
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly outOfOrder: readonly string[];
  readonly viewsDiffer: readonly string[];
  readonly eventsLost: readonly string[];
  /** Of those not cut, since the promise's clock began, without what this process stood still in it. */
  readonly longestSilenceMs: number;
  /** How long this process stood still meanwhile, in all. */
  readonly stoodStillMs: number;
}

const quietWithinMs = 60_000;
const atOnce = 10;

/** Waits for quiet and counts. @param endedAt  when the last change was begun, epoch milliseconds */
export async function assess(world: ReachableTarget, storm: RunningStorm, strike: StrikeReport, endedAt: number): Promise<StormVerdict> {
  const viewsDiffer = await differing(storm);
  const stored = await storedOf(storm);
  const all = [...stored.values()].flat();
  const byId = new Map(all.map((message) => [message._id, message]));
  const old = storm.oldClients.flatMap(({ stretches }) => stretches.map((stretch) => heardOf(stretch, stored.get(stretch.chatId)!)));
  const { ledger, clients: dwellers, newcomers } = storm;
  return {
    acknowledged: ledger.acknowledged,
    durableEvents: newcomers.acknowledged(),
    lost: [...sendsLost(storm, all), ...ledger.lost(byId), ...holes(stored), ...old.flatMap(({ lost }) => lost)],
    doubled: [
      ...twice("stored", all),
      ...dwellers.flatMap(({ name, told }) => twice(`told ${name}`, told)),
      ...old.flatMap(({ doubled }) => doubled),
    ],
    outOfOrder: [
      ...disordered(storm, all),
      ...dwellers.flatMap(({ name, told }) => falling(name, told)),
      ...old.flatMap(({ outOfOrder }) => outOfOrder),
    ],
    viewsDiffer,
    eventsLost: await eventsLost(world, storm),
    longestSilenceMs: Math.max(0, ...silences(storm, strike, endedAt), ...waits(storm, strike)),
    stoodStillMs: storm.standstills.between(strike.from, Date.now()),
  };
}

/** Asks again while there are differences, until it is too late for them to go. */
async function differing({ clients: dwellers, oldClients }: RunningStorm): Promise<string[]> {
  const deadline = Date.now() + quietWithinMs;
  const found: string[] = [];
  const queue = [...dwellers];
  const check = async ({ name, parley, person }: ObservedClient): Promise<void> => {
    let last: string[] = ["it could not be compared"];
    const look = async () => {
      if (parley.state !== "online") return void (last = [`is ${parley.state}`]);
      last = await viewDifferences({ parley, userId: person.id }, (path) => must(person, path));
      return last.length === 0;
    };
    await eventually("the view equals the store", look, Math.max(0, deadline - Date.now())).catch(() => undefined);
    found.push(...last.map((difference) => `${name}: ${difference}`));
  };
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await check(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  await eventually("old clients are back", () => oldClients.every((one) => one.isBack()), Math.max(0, deadline - Date.now())).catch(
    () => undefined,
  );
  return [...found, ...oldClients.filter((one) => !one.isBack()).map(() => "an old client is not back in its chats")];
}

async function must(person: Person, path: string): Promise<Received> {
  const { status, body } = await person.get(path);
  if (status !== 200) throw new Error(`${path} answered ${status}`);
  return body;
}

/** Every chat's messages as they are stored, by a member who was there from the beginning. */
async function storedOf({ chats }: RunningStorm): Promise<ReadonlyMap<string, readonly Message[]>> {
  const whole = async ([chatId, [founder]]: readonly [string, readonly Person[]]) => {
    const messages: Message[] = [];
    for (;;) {
      const page = await must(founder!, `/chat/messages/${chatId}?limit=200&after=${messages.at(-1)?.n ?? 0}`);
      if (page.length === 0) return [chatId, messages] as const;
      messages.push(...page);
    }
  };
  return new Map(await Promise.all([...chats].map(whole)));
}

const keyOf = ({ chatId, senderId, clientId }: Pick<Message, "chatId" | "senderId" | "clientId">) => `${chatId} ${senderId} ${clientId}`;

/** Acknowledged and not stored, or refused for good without a reason. */
function sendsLost({ ledger: { sent, refused } }: RunningStorm, all: readonly Message[]): string[] {
  const there = new Set(all.map(keyOf));
  const lost = sent.filter((one) => one.acknowledgedAt !== undefined && !there.has(keyOf(one)));
  return [...lost.map((one) => `message ${keyOf(one)}`), ...refused.map((code) => `refused for good: ${code}`)];
}

/** `n` counts every message. */
const holes = (stored: ReadonlyMap<string, readonly Message[]>): string[] =>
  [...stored].flatMap(([chatId, messages]) => {
    const there = new Set(messages.map(({ n }) => n));
    const due = Array.from({ length: messages.at(-1)?.n ?? 0 }, (_, index) => index + 1);
    return due.filter((n) => !there.has(n)).map((n) => `there is no ${n} in ${chatId}`);
  });

function twice(where: string, messages: readonly Pick<Message, "chatId" | "senderId" | "clientId">[]): string[] {
  const seen = new Set<string>();
  return messages.flatMap((message) => {
    const key = keyOf(message);
    const isAgain = seen.has(key);
    seen.add(key);
    return isAgain ? [`${where}: ${key}`] : [];
  });
}

/** Messages stored behind one that the same person sent later. */
function disordered({ ledger: { sent } }: RunningStorm, all: readonly Message[]): string[] {
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
 * Messages that a client was told of after a later one, by `seq`: one that was edited while a client was away comes in the edit's
 * place. One's own are told when sent, before they have a number.
 */
function falling(name: string, told: readonly Pick<ObservedMessage, "chatId" | "seq">[]): string[] {
  const highest = new Map<string, number>();
  return told.flatMap(({ chatId, seq }) => {
    const before = highest.get(chatId) ?? 0;
    highest.set(chatId, Math.max(before, seq));
    return seq > 0 && seq < before ? [`${name} was told of ${seq} after ${before} in ${chatId}`] : [];
  });
}

/** What one connection of an old client was told, against what is stored; of a connection that lives until the newest message. */
function heardOf({ chatId, after, heard, isOpen }: JoinedSpan, stored: readonly Message[]) {
  const ns = heard.map(({ n }) => n);
  const first = after === undefined ? Math.min(...ns) : after + 1;
  const last = isOpen ? stored.length : Math.max(0, ...ns);
  const there = new Set(ns);
  const due = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  const where = `an old client in ${chatId}`;
  return {
    lost: due.filter((n) => !there.has(n)).map((n) => `${where}: ${n}`),
    doubled: ns.filter((n, i) => ns.indexOf(n) !== i).map((n) => `${where}: ${n}`),
    outOfOrder: falling(
      "an old client",
      heard.map(({ seq }) => ({ chatId, seq })),
    ),
  };
}

async function eventsLost(world: ReachableTarget, { newcomers }: RunningStorm): Promise<string[]> {
  let found: string[] = ["they could not be compared"];
  const look = async () => (found = await world.inspect((inside) => newcomers.lost(inside))).length === 0;
  await eventually("everyone knows of everything", look, quietWithinMs).catch(() => undefined);
  return found;
}

/** Each span of time without a new message of anybody else's, by client and chat, while others who were not cut sent there. */
function silences({ clients: dwellers, chats, standstills }: RunningStorm, { from, cut }: StrikeReport, endedAt: number): number[] {
  const cuts = cutSpans(dwellers, cut);
  const isCut = (userId: string, begin: number, end: number) =>
    (cuts.get(userId) ?? []).some((span) => span.from < end && span.until > begin);
  return dwellers.flatMap(({ person, told, chatIds }) =>
    chatIds.flatMap((chatId) => {
      const senders = chats.get(chatId)!.filter(({ id }) => id !== person.id && dwellers.some((one) => one.person.id === id));
      const heard = told.filter((one) => one.chatId === chatId && one.senderId !== person.id && one.at > from && one.at < endedAt);
      const moments = [from, ...heard.map(({ at }) => at), endedAt];
      return moments.slice(1).map((end, index) => {
        const begin = moments[index]!;
        const isOwnFault = isCut(person.id, begin, end) || senders.every(({ id }) => isCut(id, begin, end));
        return isOwnFault ? 0 : end - begin - standstills.between(begin, end);
      });
    }),
  );
}

/** From a message's acknowledgement to the moment when each other client was told of it. */
function waits({ clients: dwellers, ledger, standstills }: RunningStorm, { from, cut }: StrikeReport): number[] {
  const cuts = cutSpans(dwellers, cut);
  const acknowledged = new Map(ledger.sent.map((one) => [keyOf(one), one.acknowledgedAt]));
  return dwellers.flatMap(({ person, told }) =>
    told
      .filter(({ seq }) => seq > 0)
      .map((one) => {
        const begin = Math.max(from, acknowledged.get(keyOf(one)) ?? Infinity);
        const isOwnFault = (cuts.get(person.id) ?? []).some((span) => span.from < one.at && span.until > begin);
        return isOwnFault || one.at < begin ? 0 : one.at - begin - standstills.between(begin, one.at);
      }),
  );
}

/** By person: cut off until they were online again. */
function cutSpans(
  dwellers: readonly ObservedClient[],
  cut: readonly CutOffSpan[],
): ReadonlyMap<string, readonly Pick<CutOffSpan, "from" | "until">[]> {
  return new Map(
    dwellers.map(({ name, person, states }) => {
      const own = cut.filter((one) => one.name === name);
      return [person.id, own.map(({ from, until }) => ({ from, until: onlineSince(states, until) }))];
    }),
  );
}

/** @returns the moment itself where someone was online then */
function onlineSince(states: ObservedClient["states"], moment: number): number {
  const before = states.findLast(({ at }) => at <= moment);
  if (before === undefined || before.state === "online") return moment;
  return states.find(({ at, state }) => at > moment && state === "online")?.at ?? Infinity;
}
