/** Collections for the store's tests, of the shapes that the services have. */
import { collection, type Database, type Doc } from "../../core/store/store.ts";
import { newId } from "../../core/ids.ts";

export interface ChatRow extends Doc {
  readonly seq: number;
  readonly name?: string | null;
  readonly changedAt?: number;
  readonly preview?: object | null;
}
export const chats = collection<ChatRow>()("chats", { byChangedAt: { fields: ["changedAt", "_id"] } });

export interface MessageRow extends Doc {
  readonly chatId: string;
  readonly n: number;
  readonly senderId?: string | null;
  readonly clientId?: string | null;
  readonly text?: string;
  readonly createdAt?: number;
}
export const messages = collection<MessageRow>()("messages", {
  byN: { fields: ["chatId", "n"], unique: true },
  byClientId: { fields: ["chatId", "senderId", "clientId"], unique: true },
});

export interface UserRow extends Doc {
  readonly email?: string | null;
  readonly visits?: number;
  readonly firstSeen?: number;
  readonly vip?: boolean;
  readonly settings?: object;
}
export const users = collection<UserRow>()("users", {
  byEmail: { fields: ["email"], unique: true },
  byVisits: { fields: ["vip", "visits", "_id"] },
});

export const all = [chats, messages, users];

/** The nth message of a chat. */
export const message = (chatId: string, n: number, more: Partial<MessageRow> = {}): MessageRow => ({ _id: newId(), chatId, n, ...more });

/** All messages of a chat, by n. */
export const messagesOf = (db: Database, chatId: string): Promise<MessageRow[]> =>
  db.page(messages, { index: "byN", where: { chatId }, limit: 10_000 });
