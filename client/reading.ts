/** One's read marks on their way to the server: they only rise, the highest goes, one at a time a chat, again after a lost connection. */
import type { Chats } from "./chats.ts";
import type { ParleyError } from "./errors.ts";

export interface ReadingParts {
  readonly chats: Chats;
  readonly ask: (payload: { chatId: string; n: number }) => Promise<{ readN: number; unread: number }>;
}

const pauseMs = 1000;

export class Reading {
  private readonly parts: ReadingParts;
  private readonly running = new Set<string>();
  private isOpen = false;

  constructor(parts: ReadingParts) {
    this.parts = parts;
  }

  /** @param n  ordinal of the last message read */
  mark(chatId: string, n: number): void {
    if (this.parts.chats.want(chatId, n)) void this.run(chatId);
  }

  open(): void {
    this.isOpen = true;
    for (const chatId of this.parts.chats.ids) void this.run(chatId);
  }

  close(): void {
    this.isOpen = false;
  }

  private async run(chatId: string): Promise<void> {
    if (this.running.has(chatId)) return;
    this.running.add(chatId);
    for (let n = this.wanted(chatId); n !== undefined; n = this.wanted(chatId)) await this.attempt(chatId, n);
    this.running.delete(chatId);
  }

  private wanted(chatId: string): number | undefined {
    return this.isOpen ? this.parts.chats.get(chatId)?.wantedN : undefined;
  }

  private async attempt(chatId: string, n: number): Promise<void> {
    try {
      const { readN, unread } = await this.parts.ask({ chatId, n });
      this.parts.chats.marked(chatId, Math.max(readN, n), unread);
    } catch (error) {
      const { isTransient, retryAfterMs = pauseMs } = error as ParleyError;
      if (!isTransient) this.parts.chats.unwant(chatId);
      else if (this.isOpen) await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
    }
  }
}
