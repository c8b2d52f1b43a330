/**
 * What changed while a client was away: per chat one indexed query by `seq`, with the head read before it as the answer's end.
 * A hole in the numbers is legal; whoever asks again from the answer's `seq` misses nothing.
 */
import type { Repository } from "./chat.repository.ts";
import type { ChatRow, MemberRow, MessageRow } from "./collections.ts";
import { receiptsUpTo, type Batch, type Message, type Position, type Receipt, type SyncAnswer } from "./contract.ts";
import { isVoid, visible } from "./policy.ts";
import { presentMembership, presentMessage, presentOwn, presentReceipt, presentShared } from "./present.ts";
import { viewsOf } from "./views.ts";
import type { Work } from "./work.ts";

/** Changes of one chat an answer has at most. */
const perChat = 200;
/** What an answer holds: a slow line must bring it before its client gives up waiting. A chat of its last may go beyond. */
const inAll = { changes: 1000, characters: 500_000 };
/** What a message takes besides its text, each person named in it, and each shown of a chat. */
const characters = { envelope: 450, name: 30, member: 150 };
/** Messages shown of a chat that the client did not name. */
const newest = 50;

/** What is left of an answer. */
interface Budget {
  readonly changes: number;
  readonly characters: number;
}
interface Part {
  readonly chat: ChatRow;
  readonly messages: readonly Message[];
  readonly seq: number;
  readonly more: boolean;
  /** Of the messages and the chat's view, about. */
  readonly characters: number;
}

/** Answers `since`, the client's last `seq` per chat, for all chats this person is in. */
export async function sync(work: Work, since: Readonly<Record<string, number>>): Promise<{ answer: SyncAnswer; positions: Position[] }> {
  const { userId, clock } = work;
  const repository = readingOnce(work.repository);
  const before = await repository.memberships(userId);
  const chats = await repository.chats(before.map(({ chatId }) => chatId));
  // Read again: a removal after this lies above the head just read, and a socket seated there hears of it.
  const memberships = new Map((await repository.memberships(userId)).map((row) => [row.chatId, row]));
  const heads = chats.filter(({ _id }) => memberships.has(_id));
  const removed = Object.keys(since).filter((chatId) => !memberships.has(chatId));
  const reset = heads.filter((chat) => isVoid(since[chat._id] ?? 0, chat, memberships.get(chat._id)!)).map(({ _id }) => _id);

  const known = (chat: ChatRow): number | undefined => (reset.includes(chat._id) ? undefined : since[chat._id]);
  const behind = heads.filter((chat) => (known(chat) ?? -1) < chat.seq).sort((a, b) => b.lastActivityAt - a.lastActivityAt);
  const parts: Part[] = [];
  let budget: Budget = inAll;
  for (const chat of behind) {
    if (budget.changes < newest || budget.characters <= 0) break;
    const part = await changesOf(repository, chat, memberships.get(chat._id)!, known(chat), budget);
    budget = { changes: budget.changes - Math.max(1, part.messages.length), characters: budget.characters - part.characters };
    parts.push(part);
  }
  const reached = new Set(parts.map(({ chat }) => chat._id));
  const unreached = behind.filter(({ _id }) => !reached.has(_id)).map(({ _id }) => _id);
  const late = new Set(behind);
  const current = heads.filter((chat) => !late.has(chat));
  const answer: SyncAnswer = {
    chats: await viewsOf(
      { ...work, repository },
      parts.map(({ chat }) => [chat, memberships.get(chat._id)!] as const),
    ),
    messages: Object.fromEntries(parts.map(({ chat, messages }) => [chat._id, messages])),
    seq: Object.fromEntries([
      ...current.map(({ _id, seq }) => [_id, seq] as const),
      ...parts.map(({ chat, seq }) => [chat._id, seq] as const),
    ]),
    more: [...parts.filter(({ more }) => more).map(({ chat }) => chat._id), ...unreached],
    removed,
    reset,
    receipts: await receiptsOf(
      repository,
      heads.filter(({ _id }) => Object.hasOwn(since, _id)),
    ),
    own: Object.fromEntries(
      heads
        .filter(({ _id }) => Object.hasOwn(since, _id) && !reached.has(_id))
        .map(({ _id }) => [_id, presentOwn(memberships.get(_id)!, clock.now())]),
    ),
  };
  const whole = [...current, ...parts.filter(({ more }) => !more).map(({ chat }) => chat)];
  const positions = whole.map(({ _id, seq, n }) => ({ membership: presentMembership(memberships.get(_id)!), seq, n }));
  return { answer, positions };
}

/** Who is shown of a chat, and whose marks count, is read once for an answer. */
function readingOnce(repository: Repository): Repository {
  const read = new Map<string, Promise<MemberRow[]>>();
  const firstMembers = (chatId: string): Promise<MemberRow[]> => {
    const rows = read.get(chatId) ?? repository.firstMembers(chatId);
    read.set(chatId, rows);
    return rows;
  };
  return { ...repository, firstMembers };
}

async function changesOf(
  repository: Repository,
  chat: ChatRow,
  member: MemberRow,
  since: number | undefined,
  budget: Budget,
): Promise<Part> {
  const readers = await repository.firstMembers(chat._id);
  const present = (rows: readonly MessageRow[]) => rows.filter((row) => visible(member, row)).map((row) => presentMessage(row, readers));
  const size = (messages: readonly Message[]) =>
    messages.reduce((sum, message) => sum + sizeOf(message), readers.length * characters.member);
  if (since === undefined) {
    const messages = present(await repository.messagesBefore(chat._id, member.joinedN, chat.n + 1, newest));
    return { chat, messages, seq: chat.seq, more: false, characters: size(messages) };
  }
  const rows = await repository.changes(chat._id, since, chat.seq, Math.min(perChat, budget.changes));
  const whole = present(rows);
  const messages = whole.slice(0, Math.max(1, countWithin(whole, budget.characters)));
  // Those that are not shown go with what is shown before them.
  const next = whole[messages.length]?.seq ?? Infinity;
  const last = rows.findLast(({ seq }) => seq < next)?.seq ?? chat.seq;
  const more = last < chat.seq && (messages.length < whole.length || rows.length === Math.min(perChat, budget.changes));
  return { chat, messages, seq: more ? last : chat.seq, more, characters: size(messages) };
}

function sizeOf({ text, readBy, reactions }: Message): number {
  const named = Object.values(reactions).reduce((sum, { userIds }) => sum + userIds.length, readBy.length);
  return text.length + characters.envelope + named * characters.name;
}

/** How many of these, from the first, have so many characters together. */
function countWithin(messages: readonly Message[], most: number): number {
  let sum = 0;
  const beyond = messages.findIndex((message) => (sum += sizeOf(message)) > most);
  return beyond < 0 ? messages.length : beyond;
}

/** The marks of all members of small chats: they move beside the sequence. Direct chats, which most are, are one query. */
async function receiptsOf(repository: Repository, chats: readonly ChatRow[]): Promise<SyncAnswer["receipts"]> {
  const direct = chats.flatMap(({ _id: chatId, pair = "" }) => (pair === "" ? [] : pair.split(":").map((userId) => ({ chatId, userId }))));
  const groups = chats.filter(({ pair, memberCount }) => pair === undefined && memberCount <= receiptsUpTo);
  const rows = [repository.membersByKey(direct), ...groups.map(({ _id }) => repository.firstMembers(_id))];
  const receipts: Record<string, Receipt[]> = {};
  for (const row of (await Promise.all(rows)).flat()) (receipts[row.chatId] ??= []).push(presentReceipt(row));
  return receipts;
}

/**
 * A chat's changes after a `seq`, for a gateway that missed some: at most 200, and the head they lead to.
 * @returns undefined  no such chat
 */
export async function repairOf(repository: Repository, chatId: string, since: number): Promise<(Batch & { more: boolean }) | undefined> {
  const before = await repository.chat(chatId);
  // Not only up to that head: a message changed meanwhile moves beyond it, and would be missing among those that the head counts.
  const rows = await repository.changes(chatId, since, undefined, perChat);
  const chat = await repository.chat(chatId);
  if (before === undefined || chat === undefined) return undefined;
  const last = rows.at(-1)?.seq ?? 0;
  const more = rows.length === perChat && last < chat.seq;
  const seq = more ? last : Math.max(before.seq, last);
  const isShared = chat.sharedSeq > since && chat.sharedSeq <= seq;
  const [people, memberRows] = await Promise.all([
    repository.firstMembers(chatId),
    // Beyond this page too: who was removed and came back above it was away on it, and their row shows the return only.
    chat.sharedSeq > since ? repository.membersChanged(chatId, since) : [],
  ]);
  return {
    chatId,
    prevSeq: since,
    seq,
    n: Math.max(before.n, ...rows.map(({ n }) => n)),
    memberCount: chat.memberCount,
    changes: rows.map((row) => presentMessage(row, people)),
    memberChanges: memberRows.map(presentMembership),
    ...(isShared ? { chat: presentShared(chat, people) } : {}),
    more,
  };
}
