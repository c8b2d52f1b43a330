/** What chat asks of its store. Every read follows an index and is bounded. */
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

/** Unread messages are counted up to this. */
export const maxUnread = 100;
/** One's own messages and the chat's, which are not counted, are skipped up to this; beyond it the others are counted by author. */
const maxExcluded = 1000;
/** Rows fetched at a time where a list has to be whole. */
const readPageSize = 1000;

export type ChatRepository = ReturnType<typeof chatRepository>;

export function chatRepository(db: Database) {
  const seniors = (chatId: string, limit: number): Promise<MemberRow[]> =>
    db.page(members, { index: "bySeniority", where: { chatId, leftSeq: null }, limit });
  /** The first of those who wrote in a chat, in no order that means anything; or the first after another. */
  const firstAuthor = async (chatId: string, after?: string): Promise<string | undefined> => {
    const beyond = after === undefined ? {} : { after: [after, Number.MAX_SAFE_INTEGER] };
    return (await db.page(messages, { index: "byAuthor", where: { chatId }, ...beyond, limit: 1 }))[0]?.authorId;
  };

  return {
    chat: (chatId: string): Promise<ChatRow | undefined> => db.get(chats, chatId),
    chats: (chatIds: readonly string[]): Promise<ChatRow[]> => db.getMany(chats, chatIds),
    directChat: async (pair: string): Promise<ChatRow | undefined> => (await db.find(chats, [{ pair }]))[0],

    member: async (chatId: string, userId: string): Promise<MemberRow | undefined> => (await db.find(members, [{ chatId, userId }]))[0],
    membersByKey: (keys: readonly Pick<MemberRow, "chatId" | "userId">[]): Promise<MemberRow[]> =>
      keys.length === 0 ? Promise.resolve([]) : db.find(members, keys),
    members: (chatId: string, userIds: readonly string[]): Promise<MemberRow[]> =>
      db.find(
        members,
        userIds.map((userId) => ({ chatId, userId })),
      ),
    /** The longest-standing members. */
    seniors,
    /** Those whom an answer shows, and whose marks say who has read its messages. */
    firstMembers: (chatId: string): Promise<MemberRow[]> => seniors(chatId, maxShownMembers),
    /** Members by seniority, after one's place in it. */
    membersAfter: (chatId: string, after: readonly (string | number)[], limit: number): Promise<MemberRow[]> =>
      db.page(members, { index: "bySeniority", where: { chatId, leftSeq: null }, after, limit }),
    /** All members whose membership or role last changed after this. */
    membersChangedAfterSeq: (chatId: string, after: number): Promise<MemberRow[]> =>
      readAllPages((last) =>
        db.page(members, {
          index: "byChangedSeq",
          where: { chatId },
          after: last === undefined ? [after] : [last.changedSeq, last._id],
          limit: readPageSize,
        }),
      ),

    /** All memberships of a person that have not ended. */
    memberships: (userId: string): Promise<MemberRow[]> =>
      readAllPages((last) =>
        db.page(members, {
          index: "byUser",
          where: { userId, leftSeq: null },
          ...(last === undefined ? {} : { after: [last.chatId] }),
          limit: readPageSize,
        }),
      ),

    message: (messageId: string): Promise<MessageRow | undefined> => db.get(messages, messageId),
    messages: (messageIds: readonly string[]): Promise<MessageRow[]> => db.getMany(messages, messageIds),
    messagesByClientId: (keys: readonly Where<MessageRow>[]): Promise<MessageRow[]> => db.find(messages, keys),
    /** The newest messages below `before`, ascending. */
    async messagesBefore(chatId: string, joinedN: number, before: number | undefined, limit: number): Promise<MessageRow[]> {
      const bounds = { after: [joinedN], ...(before === undefined ? {} : { before: [before] }) };
      const rows = await db.page(messages, { index: "byN", where: { chatId }, ...bounds, order: "desc", limit });
      return rows.reverse();
    },
    messagesAfter: (chatId: string, after: number, limit: number): Promise<MessageRow[]> =>
      db.page(messages, { index: "byN", where: { chatId }, after: [after], limit }),
    /** Messages by their last change: those in `(after, upTo]`, or all after. */
    changes(chatId: string, after: number, upTo: number | undefined, limit: number): Promise<MessageRow[]> {
      const bounds = { after: [after], ...(upTo === undefined ? {} : { before: [upTo + 1] }) };
      return db.page(messages, { index: "bySeq", where: { chatId }, ...bounds, limit });
    },

    /**
     * Messages after `readN` that are neither one's own nor the system's, at most 100; its cost does not grow with the history.
     * @param n  how many messages the chat has: they are numbered without a hole, so that only those to leave out are counted
     */
    async unread({ chatId, userId, readN, joinedN }: MemberRow, n: number): Promise<number> {
      const seen = Math.max(readN, joinedN);
      if (n <= seen) return 0;
      const bounds = { after: [seen], before: [n + 1] };
      const by = (authorId: string, limit: number) =>
        db.count(messages, { index: "byAuthor", where: { chatId, authorId }, ...bounds, limit });
      const excluded = (await by(userId, maxExcluded)) + (await by("system", maxExcluded));
      if (excluded < maxExcluded) return Math.min(maxUnread, n - seen - excluded);
      let found = 0;
      for (let author = await firstAuthor(chatId); author !== undefined && found < maxUnread; author = await firstAuthor(chatId, author)) {
        if (author !== userId && author !== "system") found += await by(author, maxUnread - found);
      }
      return found;
    },

    file: (fileId: string): Promise<ChatFileRow | undefined> => db.get(files, fileId),
    files: (fileIds: readonly string[]): Promise<ChatFileRow[]> => db.getMany(files, fileIds),

    reactions: (keys: readonly Pick<ReactionRow, "messageId" | "userId" | "emoji">[]): Promise<ReactionRow[]> => db.find(reactions, keys),
    /** A message's reactions of one kind, in the order of reacting. */
    reactionsOf: (messageId: string, emoji: string, limit: number): Promise<ReactionRow[]> =>
      db.page(reactions, { index: "byEmoji", where: { messageId, emoji }, limit }),

    relations: (pairs: readonly string[]): Promise<RelationRow[]> =>
      db.find(
        relations,
        pairs.map((pair) => ({ pair })),
      ),

    /** Groups whose last member left before this store time. */
    endedGroups: (before: number, limit: number): Promise<ChatRow[]> =>
      db.page(chats, { index: "byEnd", after: [0], before: [before], limit }),
    filesOfChat: (chatId: string, limit: number): Promise<ChatFileRow[]> => db.page(files, { index: "byChat", where: { chatId }, limit }),

    chatsChangedAfter: (after: readonly (string | number)[], limit: number): Promise<ChatRow[]> =>
      db.page(chats, { index: "byChange", after, limit }),
    membershipsChangedAfter: (after: readonly (string | number)[], limit: number): Promise<MemberRow[]> =>
      db.page(members, { index: "byChange", after, limit }),
  };
}

/** All rows of a list that has to be whole, a chunk at a time. */
async function readAllPages<R>(next: (last: R | undefined) => Promise<R[]>): Promise<R[]> {
  const found: R[] = [];
  for (;;) {
    const rows = await next(found.at(-1));
    found.push(...rows);
    if (rows.length < readPageSize) return found;
  }
}
