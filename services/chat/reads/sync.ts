/**
 * Answers what changed while a client was offline: one indexed query by `seq` per chat, up to a head that was read before. Numbers may
 * have holes. A client that continues from the answer's `seq` misses nothing.
 */
import type { Database } from "../../../core/store/store.ts";
import type { CallContext } from "../../../core/contract/call.ts";
import { chatsById, firstMembers, membersByKey, membershipsOf, messagesBefore, messagesChangedAfter } from "../store/repository.ts";
import type { ChatRow, MemberRow, MessageRow } from "../store/collections.ts";
import { maxMembersForReceipts, type Message, type SyncPosition, type Receipt, type SyncAnswer } from "../contract.ts";
import { isVoid, isVisible } from "../policy.ts";
import { presentMembership, presentMessage, presentOwn, presentReceipt } from "../present.ts";
import { viewsOf, type FirstMembersReader } from "./views.ts";
import type { ChatContext } from "../context.ts";

/** Maximum number of changes per chat in an answer. */
export const maxChangesPerChat = 200;
/** Limits of an answer: it must arrive over a slow connection before the client times out. The last chat may exceed them. */
const answerLimit = { changes: 1000, characters: 500_000 };
/** Estimated characters of a message besides its text, of each name in it, and of each listed member of a chat. */
const characterCosts = { envelope: 450, name: 30, member: 150 };
/** Number of messages for a chat that the client does not have yet. */
const newestMessages = 50;

/** Remaining capacity of an answer. */
interface AnswerBudget {
  readonly changes: number;
  readonly characters: number;
}
interface SyncedChat {
  readonly chat: ChatRow;
  readonly messages: readonly Message[];
  readonly seq: number;
  readonly more: boolean;
  /** Estimate for the messages and the chat's view. */
  readonly characters: number;
}

/** Answers for all of the caller's chats. @param since  the client's last `seq` per chat */
export async function sync(
  context: CallContext<ChatContext>,
  since: Readonly<Record<string, number>>,
): Promise<{ answer: SyncAnswer; positions: SyncPosition[] }> {
  const { db, userId, clock } = context;
  const readMembers = cachedFirstMembers(db);
  const before = await membershipsOf(db, userId);
  const chatIds = before.map(({ chatId }) => chatId);
  const chats = await chatsById(db, chatIds);
  // Read again: a removal after this has a seq above the head just read, and the socket receives it live.
  const memberships = new Map((await membershipsOf(db, userId)).map((row) => [row.chatId, row]));
  const heads = chats.filter(({ _id }) => memberships.has(_id));
  const removed = Object.keys(since).filter((chatId) => !memberships.has(chatId));
  const reset = heads.filter((chat) => isVoid(since[chat._id] ?? 0, chat, memberships.get(chat._id)!)).map(({ _id }) => _id);

  const validSince = (chat: ChatRow): number | undefined => (reset.includes(chat._id) ? undefined : since[chat._id]);
  const behind = heads.filter((chat) => (validSince(chat) ?? -1) < chat.seq).sort((a, b) => b.lastActivityAt - a.lastActivityAt);
  const synced: SyncedChat[] = [];
  let budget: AnswerBudget = answerLimit;
  for (const chat of behind) {
    if (budget.changes < newestMessages || budget.characters <= 0) break;
    const syncedChat = await changesOf(db, readMembers, chat, memberships.get(chat._id)!, validSince(chat), budget);
    budget = { changes: budget.changes - Math.max(1, syncedChat.messages.length), characters: budget.characters - syncedChat.characters };
    synced.push(syncedChat);
  }
  const reached = new Set(synced.map(({ chat }) => chat._id));
  const unreached = behind.filter(({ _id }) => !reached.has(_id)).map(({ _id }) => _id);
  const behindSet = new Set(behind);
  const current = heads.filter((chat) => !behindSet.has(chat));
  const answer: SyncAnswer = {
    chats: await viewsOf(
      context,
      synced.map(({ chat }) => [chat, memberships.get(chat._id)!] as const),
      readMembers,
    ),
    messages: Object.fromEntries(synced.map(({ chat, messages }) => [chat._id, messages])),
    seq: Object.fromEntries([
      ...current.map(({ _id, seq }) => [_id, seq] as const),
      ...synced.map(({ chat, seq }) => [chat._id, seq] as const),
    ]),
    more: [...synced.filter(({ more }) => more).map(({ chat }) => chat._id), ...unreached],
    removed,
    reset,
    receipts: await receiptsOf(
      db,
      readMembers,
      heads.filter(({ _id }) => Object.hasOwn(since, _id)),
    ),
    own: Object.fromEntries(
      heads
        .filter(({ _id }) => Object.hasOwn(since, _id) && !reached.has(_id))
        .map(({ _id }) => [_id, presentOwn(memberships.get(_id)!, clock.now())]),
    ),
  };
  const upToDate = [...current, ...synced.filter(({ more }) => !more).map(({ chat }) => chat)];
  const positions = upToDate.map(({ _id, seq, n }) => ({ membership: presentMembership(memberships.get(_id)!), seq, n }));
  return { answer, positions };
}

/** Reads the first members of each chat only once per answer. */
function cachedFirstMembers(db: Database): FirstMembersReader {
  const read = new Map<string, Promise<MemberRow[]>>();
  return (chatId) => {
    const rows = read.get(chatId) ?? firstMembers(db, chatId);
    read.set(chatId, rows);
    return rows;
  };
}

async function changesOf(
  db: Database,
  readMembers: FirstMembersReader,
  chat: ChatRow,
  member: MemberRow,
  since: number | undefined,
  budget: AnswerBudget,
): Promise<SyncedChat> {
  const readers = await readMembers(chat._id);
  const present = (rows: readonly MessageRow[]) => rows.filter((row) => isVisible(member, row)).map((row) => presentMessage(row, readers));
  const size = (messages: readonly Message[]) =>
    messages.reduce((sum, message) => sum + charactersOf(message), readers.length * characterCosts.member);
  if (since === undefined) {
    const messages = present(await messagesBefore(db, chat._id, member.joinedN, chat.n + 1, newestMessages));
    return { chat, messages, seq: chat.seq, more: false, characters: size(messages) };
  }
  const rows = await messagesChangedAfter(db, chat._id, since, chat.seq, Math.min(maxChangesPerChat, budget.changes));
  const whole = present(rows);
  const messages = whole.slice(0, Math.max(1, countWithin(whole, budget.characters)));
  // Invisible messages count with the visible message before them.
  const next = whole[messages.length]?.seq ?? Infinity;
  const last = rows.findLast(({ seq }) => seq < next)?.seq ?? chat.seq;
  const more = last < chat.seq && (messages.length < whole.length || rows.length === Math.min(maxChangesPerChat, budget.changes));
  return { chat, messages, seq: more ? last : chat.seq, more, characters: size(messages) };
}

function charactersOf({ text, readBy, reactions }: Message): number {
  const named = Object.values(reactions).reduce((sum, { userIds }) => sum + userIds.length, readBy.length);
  return text.length + characterCosts.envelope + named * characterCosts.name;
}

/** The number of leading messages that fit into so many characters. */
function countWithin(messages: readonly Message[], most: number): number {
  let sum = 0;
  const beyond = messages.findIndex((message) => (sum += charactersOf(message)) > most);
  return beyond < 0 ? messages.length : beyond;
}

/** Watermarks of all members of small chats, which change outside the sequence. All direct chats take a single query. */
async function receiptsOf(db: Database, readMembers: FirstMembersReader, chats: readonly ChatRow[]): Promise<SyncAnswer["receipts"]> {
  const direct = chats.flatMap(({ _id: chatId, pair = "" }) => (pair === "" ? [] : pair.split(":").map((userId) => ({ chatId, userId }))));
  const groups = chats.filter(({ pair, memberCount }) => pair === undefined && memberCount <= maxMembersForReceipts);
  const rows = [membersByKey(db, direct), ...groups.map(({ _id }) => readMembers(_id))];
  const receipts: Record<string, Receipt[]> = {};
  for (const row of (await Promise.all(rows)).flat()) (receipts[row.chatId] ??= []).push(presentReceipt(row));
  return receipts;
}
