/**
 * Writes changed records to the storage after a short delay, one at a time. A record is read when it is written, so several changes are one
 * write.
 */
import { isChatKey } from "./records.ts";
import type { Storage } from "./storage.ts";

const writeDelayMs = 200;

export class StorageWriter {
  private readonly storage: Storage;
  private readonly recordOf: (key: string) => unknown;
  private readonly dirtyKeys = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private writing: Promise<void> = Promise.resolve();
  private isClosed = false;

  /** @param recordOf  returns the key's current record, or undefined if there is none */
  constructor(storage: Storage, recordOf: (key: string) => unknown) {
    this.storage = storage;
    this.recordOf = recordOf;
  }

  /** @param isUrgent  whether to write immediately, because the server does not have the record */
  markDirty(key: string, isUrgent = false): void {
    if (this.isClosed) return;
    this.dirtyKeys.add(key);
    if (isUrgent) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), writeDelayMs);
  }

  /** Writes all changes so far. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return (this.writing = this.writing.then(() => this.write()));
  }

  /** Writes all changes so far, and ignores later ones. */
  close(): Promise<void> {
    this.isClosed = true;
    return this.flush();
  }

  private async write(): Promise<void> {
    for (const key of this.dirtyKeys) {
      this.dirtyKeys.delete(key);
      const isSaved = await this.save(key, this.recordOf(key));
      if (!isSaved && !isChatKey(key)) await this.evictChatsToSave(key);
    }
  }

  /** Removes chats until the record fits: the server has them, but not unsent messages. */
  private async evictChatsToSave(key: string): Promise<void> {
    for (const chat of await this.savedChatKeys()) {
      await this.save(chat, undefined);
      if (await this.save(key, this.recordOf(key))) return;
    }
  }

  /** @returns no keys if the storage cannot be read */
  private async savedChatKeys(): Promise<readonly string[]> {
    try {
      return Object.keys(await this.storage.load()).filter(isChatKey);
    } catch {
      return [];
    }
  }

  /** @returns false if the storage is full or not allowed; the earlier record stays, and is consistent too */
  private async save(key: string, record: unknown): Promise<boolean> {
    try {
      await this.storage.save(key, record);
      return true;
    } catch {
      return false;
    }
  }
}
