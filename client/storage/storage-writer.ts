/** Writes what has changed to the storage: soon, one record at a time, each as it is when its turn comes. */
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

  /** @param recordOf  a key's record as it is now; undefined when there is none */
  constructor(storage: Storage, recordOf: (key: string) => unknown) {
    this.storage = storage;
    this.recordOf = recordOf;
  }

  /** @param isUrgent  it can't be fetched again */
  markDirty(key: string, isUrgent = false): void {
    if (this.isClosed) return;
    this.dirtyKeys.add(key);
    if (isUrgent) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), writeDelayMs);
  }

  /** Resolves when all that has changed so far is written. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return (this.writing = this.writing.then(() => this.write()));
  }

  /** Writes the last; what changes from here on is not kept. */
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

  /** Chats can be fetched again; what has not been sent is nowhere else. */
  private async evictChatsToSave(key: string): Promise<void> {
    for (const chat of Object.keys(await this.storage.load()).filter(isChatKey)) {
      await this.save(chat, undefined);
      if (await this.save(key, this.recordOf(key))) return;
    }
  }

  /** @returns false  full, or forbidden: what was saved before is older and as consistent */
  private async save(key: string, record: unknown): Promise<boolean> {
    try {
      await this.storage.save(key, record);
      return true;
    } catch {
      return false;
    }
  }
}
