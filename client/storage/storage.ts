/**
 * Where a client keeps what it holds between two runs: records by key, each written whole. Every record is consistent by itself, so
 * a run may end between any two writes.
 */
import type { Chat, Me, Message } from "../documents.ts";
import type { LocalChat } from "../chats/local-chat.ts";
import type { QueuedMessage } from "../outbox/outbox.ts";

/** A chat: no change up to `seq` is missing in `messages`, the newest ones. */
export interface ChatRecord {
  readonly chat: Chat;
  readonly seq: number;
  readonly messages: readonly Message[];
  /** A read mark that the server has not confirmed yet. */
  readonly wantedN?: number;
}
export interface SessionRecord {
  readonly me: Me;
  /** Not there when the browser's cookie is the credential, or the session has ended. */
  readonly token?: string;
}
export type Records = Readonly<Record<string, unknown>>;

export const sessionKey = "session";
export const outboxKey = "outbox";
export const chatKey = (chatId: string): string => `chat/${chatId}`;
/** Whether the server has what is in such a record. */
export const isChatKey = (key: string): boolean => key.startsWith("chat/");

/** Belongs to one client at a time: two tabs need two. */
export interface Storage {
  /** Everything saved, by key. */
  load(): Records | Promise<Records>;
  /** Writes a record, JSON, whole or not at all; undefined removes it. One is written at a time. */
  save(key: string, record: unknown): void | Promise<void>;
}

/** Messages of a chat that are saved. */
const maxSavedMessages = 100;

/** A chat as it is saved; undefined when it is not known well enough, or gone. */
export function chatRecordOf(local: LocalChat | undefined): ChatRecord | undefined {
  if (local?.seq === undefined) return undefined;
  const { confirmedView, seq, window, pendingReadN } = local;
  // From within the unbroken run, that what is still missing after it finds its place.
  const messages = window.messages.filter(({ n }) => n > window.contiguousUpTo - maxSavedMessages);
  return { chat: confirmedView, seq, messages, ...(pendingReadN === undefined ? {} : { wantedN: pendingReadN }) };
}

/** What a client begins with. */
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
      .filter(isChatKey)
      .map((key) => records[key] as ChatRecord),
  };
}

/** Removes everything. */
export async function clearStorage(storage: Storage): Promise<void> {
  for (const key of Object.keys(await storage.load())) await storage.save(key, undefined);
}

/** Lasts as long as the process. */
export class MemoryStorage implements Storage {
  private readonly records = new Map<string, string>();

  load(): Records {
    return Object.fromEntries([...this.records].map(([key, text]) => [key, JSON.parse(text) as unknown]));
  }

  save(key: string, record: unknown): void {
    if (record === undefined) this.records.delete(key);
    else this.records.set(key, JSON.stringify(record));
  }
}

/** The part of a browser's `localStorage` that is used here. */
export interface KeyValues {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A browser's `localStorage`, or anything like it. */
export class LocalStorage implements Storage {
  private readonly area: KeyValues;
  private readonly prefix: string;

  /** @param name  keeps clients apart that share the area */
  constructor(name = "parley", area: KeyValues = (globalThis as { localStorage: KeyValues }).localStorage) {
    this.area = area;
    this.prefix = `${name}/`;
  }

  load(): Records {
    const keys = Array.from({ length: this.area.length }, (_, index) => this.area.key(index) ?? "");
    const mine = keys.filter((key) => key.startsWith(this.prefix));
    return Object.fromEntries(mine.flatMap((key) => this.read(key).map((record) => [key.slice(this.prefix.length), record] as const)));
  }

  /** None, where someone else has written there. */
  private read(key: string): unknown[] {
    try {
      return [JSON.parse(this.area.getItem(key) ?? "")];
    } catch {
      return [];
    }
  }

  save(key: string, record: unknown): void {
    if (record === undefined) this.area.removeItem(this.prefix + key);
    else this.area.setItem(this.prefix + key, JSON.stringify(record));
  }
}
