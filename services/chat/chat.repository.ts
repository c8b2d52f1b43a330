/** What chat asks of its store. Every read follows an index and is bounded. */
import type { Database, Where } from "../../core/store/store.ts";
import { chats, members, messages, relations, type ChatRow, type MemberRow, type MessageRow, type RelationRow } from "./collections.ts";

/** Members whose rows an answer carries. */
export const shownMembers = 50;
/** Unread messages are counted up to this. */
const unreadCap = 100;
/** Rows fetched at a time where a list has to be whole. */
const chunk = 1000;

export type Repository = ReturnType<typeof repository>;

export function repository(db: Database) {
  return {
    chat: (chatId: string): Promise<ChatRow | undefined> => db.get(chats, chatId),
    chats: (chatIds: readonly string[]): Promise<ChatRow[]> => db.getMany(chats, chatIds),
    directChat: async (pair: string): Promise<ChatRow | undefined> => (await db.find(chats, [{ pair }]))[0],

    member: async (chatId: string, userId: string): Promise<MemberRow | undefined> => (await db.find(members, [{ chatId, userId }]))[0],
    members: (chatId: string, userIds: readonly string[]): Promise<MemberRow[]> =>
      db.find(
        members,
        userIds.map((userId) => ({ chatId, userId })),
      ),
    firstMembers: (chatId: string): Promise<MemberRow[]> =>
      db.page(members, { index: "byPresence", where: { chatId, leftSeq: null }, limit: shownMembers }),
    membersChanged: (chatId: string, after: number, upTo: number): Promise<MemberRow[]> =>
      db.page(members, { index: "byChangedSeq", where: { chatId }, after: [after], before: [upTo + 1], limit: chunk }),

    /** All memberships of a person that have not ended. */
    async memberships(userId: string): Promise<MemberRow[]> {
      const found: MemberRow[] = [];
      for (;;) {
        const last = found.at(-1);
        const rows = await db.page(members, {
          index: "byUser",
          where: { userId, leftSeq: null },
          ...(last === undefined ? {} : { after: [last.chatId] }),
          limit: chunk,
        });
        found.push(...rows);
        if (rows.length < chunk) return found;
      }
    },

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
    /** Messages by their last change: those in `(after, upTo]`. */
    changes: (chatId: string, after: number, upTo: number, limit: number): Promise<MessageRow[]> =>
      db.page(messages, { index: "bySeq", where: { chatId }, after: [after], before: [upTo + 1], limit }),

    /** Messages after `readN` that are neither one's own nor the system's, at most 100. */
    async unread({ chatId, userId, readN, joinedN }: MemberRow): Promise<number> {
      const after = [Math.max(readN, joinedN)];
      const by = (authorId: string) => db.count(messages, { index: "byAuthor", where: { chatId, authorId }, after, limit: chunk });
      const leftOut = (await by(userId)) + (await by("system"));
      const all = await db.count(messages, { index: "byN", where: { chatId }, after, limit: unreadCap + leftOut });
      return Math.max(0, all - leftOut);
    },

    relations: (pairs: readonly string[]): Promise<RelationRow[]> =>
      db.find(
        relations,
        pairs.map((pair) => ({ pair })),
      ),

    chatsMoved: (after: readonly (string | number)[], limit: number): Promise<ChatRow[]> =>
      db.page(chats, { index: "byChange", after, limit }),
    membersMoved: (after: readonly (string | number)[], limit: number): Promise<MemberRow[]> =>
      db.page(members, { index: "byChange", after, limit }),
  };
}
