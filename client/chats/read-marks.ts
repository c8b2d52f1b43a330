/** Sends the user's read marks: only the highest, one at a time per chat, and again after a lost connection. */
import type { Chats } from "./chats.ts";
import type { ParleyError } from "../errors.ts";

export interface ReadMarksContext {
  readonly chats: Chats;
  readonly request: (payload: { chatId: string; n: number }) => Promise<{ readN: number; unread: number }>;
}

const retryDelayMs = 1000;

export class ReadMarks {
  private readonly context: ReadMarksContext;
  private readonly sendingChats = new Set<string>();
  private isActive = false;

  constructor(context: ReadMarksContext) {
    this.context = context;
  }

  /** @param n  ordinal of the last message read */
  mark(chatId: string, n: number): void {
    if (this.context.chats.markRead(chatId, n)) void this.drain(chatId);
  }

  resume(): void {
    this.isActive = true;
    for (const chatId of this.context.chats.ids) void this.drain(chatId);
  }

  pause(): void {
    this.isActive = false;
  }

  private async drain(chatId: string): Promise<void> {
    if (this.sendingChats.has(chatId)) return;
    this.sendingChats.add(chatId);
    for (let n = this.pendingN(chatId); n !== undefined; n = this.pendingN(chatId)) await this.sendMark(chatId, n);
    this.sendingChats.delete(chatId);
  }

  private pendingN(chatId: string): number | undefined {
    return this.isActive ? this.context.chats.get(chatId)?.pendingReadN : undefined;
  }

  private async sendMark(chatId: string, n: number): Promise<void> {
    try {
      const { readN, unread } = await this.context.request({ chatId, n });
      this.context.chats.onReadConfirmed(chatId, Math.max(readN, n), unread);
    } catch (error) {
      const { isTransient, retryAfterMs = retryDelayMs } = error as ParleyError;
      if (!isTransient) this.context.chats.onReadRefused(chatId);
      else if (this.isActive) await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
    }
  }
}
