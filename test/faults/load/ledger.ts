/**
 * What the people of a storm were promised: each change that was acknowledged to them, and what must therefore be stored. What was
 * asked for and not answered may have happened or not; such an entry says nothing until the next answer.
 */
import type { Message } from "../../../client/index.ts";

/** A message that was sent, whatever became of it. */
export interface SentMessage {
  readonly chatId: string;
  readonly senderId: string;
  readonly clientId: string;
  /** Counts the sender's messages in this chat, from 1. */
  readonly order: number;
  /** Epoch milliseconds; undefined as long as nothing said that it is stored. */
  acknowledgedAt?: number;
}

const open = Symbol("may have happened or not");
/** One thing about a message, as the last answer left it: its text, that it is deleted, someone's reaction. */
interface LedgerEntry {
  readonly messageId: string;
  readonly holds: (stored: Message) => boolean;
}

export class Ledger {
  readonly sent: SentMessage[] = [];
  /** What the server refused for good without a reason, by its code. */
  readonly refused: string[] = [];
  private readonly orders = new Map<string, number>();
  private readonly entries = new Map<string, LedgerEntry | typeof open>();
  private changes = 0;
  private sends = 0;

  get acknowledged(): number {
    return this.sends + this.changes;
  }

  send({ chatId, senderId, clientId }: Pick<Message, "chatId" | "senderId" | "clientId">): SentMessage {
    const key = `${chatId} ${senderId}`;
    const order = (this.orders.get(key) ?? 0) + 1;
    this.orders.set(key, order);
    const sent: SentMessage = { chatId, senderId, clientId, order };
    this.sent.push(sent);
    return sent;
  }

  stored(sent: SentMessage): void {
    sent.acknowledgedAt = Date.now();
    this.sends++;
  }

  /**
   * Makes a change and notes what it promises. One key has one writer, who waits for each answer.
   * @param key  what is changed, like "text of <id>"
   * @param holds  whether a stored message has it
   */
  async change(key: string, messageId: string, make: () => Promise<unknown>, holds: LedgerEntry["holds"]): Promise<void> {
    this.entries.set(key, open);
    await make();
    this.changes++;
    this.entries.set(key, { messageId, holds });
  }

  /** Acknowledged changes that a stored state does not show. A deleted message has neither text nor reactions. */
  lost(stored: ReadonlyMap<string, Message>): string[] {
    return [...this.entries].flatMap(([key, entry]) => {
      if (entry === open) return [];
      const message = stored.get(entry.messageId);
      return message !== undefined && (message.deletedAt !== null || entry.holds(message)) ? [] : [key];
    });
  }
}
