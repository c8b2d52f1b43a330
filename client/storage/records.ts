/** Defines the records that a client saves and their keys, and reads them back. */
import type { Chat, Me, Message } from "../documents.ts";
import type { QueuedMessage } from "../outbox/queued-message.ts";
import type { Storage } from "./storage.ts";

/** A chat with its newest messages. The messages include every change up to `seq`. */
export interface ChatRecord {
  readonly chat: Chat;
  readonly seq: number;
  readonly messages: readonly Message[];
  /** A read mark that the server has not confirmed yet. */
  readonly wantedN?: number;
}
export interface SessionRecord {
  readonly me: Me;
  /** Absent if the browser's cookie is the credential, or the session has ended. */
  readonly token?: string;
}

export const sessionKey = "session";
export const outboxKey = "outbox";
const chatPrefix = "chat/";
export const chatKey = (chatId: string): string => chatPrefix + chatId;
/** Whether this is a chat's key. Such records can be removed to make room: the server has their content. */
export const isChatKey = (key: string): boolean => key.startsWith(chatPrefix);

/** What a client restores when it starts. */
export interface SavedRecords {
  readonly session: SessionRecord | undefined;
  readonly outbox: readonly QueuedMessage[];
  readonly chats: readonly ChatRecord[];
}

export async function loadRecords(storage: Storage): Promise<SavedRecords> {
  const records = await storage.load();
  return {
    session: records[sessionKey] as SessionRecord | undefined,
    outbox: (records[outboxKey] ?? []) as readonly QueuedMessage[],
    chats: Object.keys(records)
      .filter((key) => isChatKey(key) && records[key] !== undefined)
      .map((key) => records[key] as ChatRecord),
  };
}

export async function clearStorage(storage: Storage): Promise<void> {
  for (const key of Object.keys(await storage.load())) await storage.save(key, undefined);
}
