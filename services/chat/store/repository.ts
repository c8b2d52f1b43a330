/** Reads chat's collections. Every read uses an index and is bounded. */
import type { Database, Where } from "../../../core/store/store.ts";
import {
  chats,
  files,
  members,
  messages,
  reactions,
  relations,
  type ChatRow,
  type ChatFileRow,
  type MemberRow,
  type MessageRow,
  type ReactionRow,
  type RelationRow,
} from "./collections.ts";
import { maxShownMembers } from "../contract.ts";

/** Unread messages are counted up to this number. */
export const maxUnread = 100;
/** Up to this many of the reader's own and system messages are read and skipped. Beyond it, the others are counted by author. */
const maxExcluded = 1000;
/** Page size where all rows of a list are read. */
const readPageSize = 1000;

/** The longest-standing members. */
export const longestStandingMembers = (db: Database, chatId: string, limit: number): Promise<MemberRow[]> =>
  db.page(members, { index: "bySeniority", where: { chatId, leftSeq: null }, limit });

export const chatById = (db: Database, chatId: string): Promise<ChatRow | undefined> => db.get(chats, chatId);

export const chatsById = (db: Database, chatIds: readonly string[]): Promise<ChatRow[]> => db.getMany(chats, chatIds);

export const directChatOf = async (db: Database, pair: string): Promise<ChatRow | undefined> => (await db.find(chats, [{ pair }]))[0];

export const memberOf = async (db: Database, chatId: string, userId: string): Promise<MemberRow | undefined> =>
  (await db.find(members, [{ chatId, userId }]))[0];

export const membersByKey = (db: Database, keys: readonly Pick<MemberRow, "chatId" | "userId">[]): Promise<MemberRow[]> =>
  keys.length === 0 ? Promise.resolve([]) : db.find(members, keys);

export const membersOf = (db: Database, chatId: string, userIds: readonly string[]): Promise<MemberRow[]> =>
  db.find(
    members,
    userIds.map((userId) => ({ chatId, userId })),
  );

/** The members that an answer lists, whose watermarks also determine the readers of its messages. */
export const firstMembers = (db: Database, chatId: string): Promise<MemberRow[]> => longestStandingMembers(db, chatId, maxShownMembers);

/** Members by seniority, after the given position. */
export const membersAfter = (db: Database, chatId: string, after: readonly (string | number)[], limit: number): Promise<MemberRow[]> =>
  db.page(members, { index: "bySeniority", where: { chatId, leftSeq: null }, after, limit });

/** All members whose membership or role last changed after this `seq`. */
export const membersChangedAfterSeq = (db: Database, chatId: string, after: number): Promise<MemberRow[]> =>
  readAllPages((last) =>
    db.page(members, {
      index: "byChangedSeq",
      where: { chatId },
      after: last === undefined ? [after] : [last.changedSeq, last._id],
      limit: readPageSize,
    }),
  );

/** All of a user's memberships that have not ended. */
export const membershipsOf = (db: Database, userId: string): Promise<MemberRow[]> =>
  readAllPages((last) =>
    db.page(members, {
      index: "byUser",
      where: { userId, leftSeq: null },
      ...(last === undefined ? {} : { after: [last.chatId] }),
      limit: readPageSize,
    }),
  );

export const messageById = (db: Database, messageId: string): Promise<MessageRow | undefined> => db.get(messages, messageId);

export const messagesById = (db: Database, messageIds: readonly string[]): Promise<MessageRow[]> => db.getMany(messages, messageIds);

export const messagesByClientId = (db: Database, keys: readonly Where<MessageRow>[]): Promise<MessageRow[]> => db.find(messages, keys);

/** The newest messages below `before`, ascending. */
export async function messagesBefore(
  db: Database,
  chatId: string,
  joinedN: number,
  before: number | undefined,
  limit: number,
): Promise<MessageRow[]> {
  const bounds = { after: [joinedN], ...(before === undefined ? {} : { before: [before] }) };
  const rows = await db.page(messages, { index: "byN", where: { chatId }, ...bounds, order: "desc", limit });
  return rows.reverse();
}

export const messagesAfter = (db: Database, chatId: string, after: number, limit: number): Promise<MessageRow[]> =>
  db.page(messages, { index: "byN", where: { chatId }, after: [after], limit });

/** Messages ordered by their last change: those in `(after, upTo]`, or all later ones. */
export function messagesChangedAfter(
  db: Database,
  chatId: string,
  after: number,
  upTo: number | undefined,
  limit: number,
): Promise<MessageRow[]> {
  const bounds = { after: [after], ...(upTo === undefined ? {} : { before: [upTo + 1] }) };
  return db.page(messages, { index: "bySeq", where: { chatId }, ...bounds, limit });
}

/**
 * Counts messages after `readN` that are neither the reader's own nor the system's, up to 100. The cost does not grow with the
 * history.
 * @param n  number of messages in the chat. Numbers have no holes, so only the messages to leave out must be counted
 */
export async function unreadCount(db: Database, { chatId, userId, readN, joinedN }: MemberRow, n: number): Promise<number> {
  const seen = Math.max(readN, joinedN);
  if (n <= seen) return 0;
  const bounds = { after: [seen], before: [n + 1] };
  const by = (authorId: string, limit: number) => db.count(messages, { index: "byAuthor", where: { chatId, authorId }, ...bounds, limit });
  const excluded = (await by(userId, maxExcluded)) + (await by("system", maxExcluded));
  if (excluded < maxExcluded) return Math.min(maxUnread, n - seen - excluded);
  let found = 0;
  for (
    let author = await firstAuthor(db, chatId);
    author !== undefined && found < maxUnread;
    author = await firstAuthor(db, chatId, author)
  ) {
    if (author !== userId && author !== "system") found += await by(author, maxUnread - found);
  }
  return found;
}

export const fileById = (db: Database, fileId: string): Promise<ChatFileRow | undefined> => db.get(files, fileId);

export const filesById = (db: Database, fileIds: readonly string[]): Promise<ChatFileRow[]> => db.getMany(files, fileIds);

export const reactionsByKey = (
  db: Database,
  keys: readonly Pick<ReactionRow, "messageId" | "userId" | "emoji">[],
): Promise<ReactionRow[]> => db.find(reactions, keys);

/** A message's reactions of one kind, in the order of reacting. */
export const reactionsOf = (db: Database, messageId: string, emoji: string, limit: number): Promise<ReactionRow[]> =>
  db.page(reactions, { index: "byEmoji", where: { messageId, emoji }, limit });

export const relationsOfPairs = (db: Database, pairs: readonly string[]): Promise<RelationRow[]> =>
  db.find(
    relations,
    pairs.map((pair) => ({ pair })),
  );

/** Groups whose last member left before this store time. */
export const endedGroups = (db: Database, before: number, limit: number): Promise<ChatRow[]> =>
  db.page(chats, { index: "byEnd", after: [0], before: [before], limit });

export const filesOfChat = (db: Database, chatId: string, limit: number): Promise<ChatFileRow[]> =>
  db.page(files, { index: "byChat", where: { chatId }, limit });

export const chatsChangedAfter = (db: Database, after: readonly (string | number)[], limit: number): Promise<ChatRow[]> =>
  db.page(chats, { index: "byChange", after, limit });

export const membershipsChangedAfter = (db: Database, after: readonly (string | number)[], limit: number): Promise<MemberRow[]> =>
  db.page(members, { index: "byChange", after, limit });

/** The first author in a chat in index order, or the first after the given one. */
async function firstAuthor(db: Database, chatId: string, after?: string): Promise<string | undefined> {
  const beyond = after === undefined ? {} : { after: [after, Number.MAX_SAFE_INTEGER] };
  return (await db.page(messages, { index: "byAuthor", where: { chatId }, ...beyond, limit: 1 }))[0]?.authorId;
}

/** Reads all rows of a list, page by page. */
async function readAllPages<R>(next: (last: R | undefined) => Promise<R[]>): Promise<R[]> {
  const found: R[] = [];
  for (;;) {
    const rows = await next(found.at(-1));
    found.push(...rows);
    if (rows.length < readPageSize) return found;
  }
}
