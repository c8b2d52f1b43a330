/** Collections for the store's tests, similar to those of the services. */
import { collection, insert, type Database, type Doc, type Operation } from "../../../core/store/store.ts";
import { newId } from "../../../core/ids.ts";

export interface SampleChatRow extends Doc {
  readonly seq: number;
  readonly name?: string | null;
  readonly changedAt?: number;
  readonly preview?: object | null;
}
export const chats = collection<SampleChatRow>()("chats", { byChangedAt: { fields: ["changedAt", "_id"] } });

export interface SampleMessageRow extends Doc {
  readonly chatId: string;
  readonly n: number;
  readonly senderId?: string | null;
  readonly clientId?: string | null;
  readonly text?: string;
  readonly createdAt?: number;
}
export const messages = collection<SampleMessageRow>()("messages", {
  byN: { fields: ["chatId", "n"], unique: true },
  byClientId: { fields: ["chatId", "senderId", "clientId"], unique: true },
  byTexts: { fields: ["chatId", "senderId", "clientId", "_id"] },
});

export interface SampleUserRow extends Doc {
  readonly email?: string | null;
  readonly visits?: number;
  readonly firstSeen?: number;
  readonly vip?: boolean;
  readonly settings?: object;
}
export const users = collection<SampleUserRow>()("users", {
  byEmail: { fields: ["email"], unique: true },
  byVisits: { fields: ["vip", "visits", "_id"] },
});

export const all = [chats, messages, users];

/** The nth message of a chat. */
export const message = (chatId: string, n: number, more: Partial<SampleMessageRow> = {}): SampleMessageRow => ({
  _id: newId(),
  chatId,
  n,
  ...more,
});

/** All messages of a chat, by n. */
export const messagesOf = (db: Database, chatId: string): Promise<SampleMessageRow[]> =>
  db.page(messages, { index: "byN", where: { chatId }, limit: 10_000 });

export async function newChat(db: Database, seq = 0): Promise<string> {
  const _id = newId();
  await db.commit([insert(chats, { _id, seq })]);
  return _id;
}

/** Commits all at the same time. @returns how many succeeded, and the errors of the others */
export async function outcomesOf(
  db: Database,
  commits: readonly (readonly Operation[])[],
): Promise<{ succeeded: number; failures: readonly unknown[] }> {
  const settled = await Promise.allSettled(commits.map((operations) => db.commit(operations)));
  const failures = settled.filter((one) => one.status === "rejected").map(({ reason }) => reason as unknown);
  return { succeeded: settled.length - failures.length, failures };
}

/** What a commit's error matches. */
export const conflict = { type: "CONFLICT" };
export const duplicate = (collection: string, index: string) => ({ name: "Duplicate", collection, index });
