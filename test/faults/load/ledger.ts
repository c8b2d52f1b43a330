/**
 * Records each acknowledged change of a storm, and what must therefore be stored. A change without an answer may or may not have
 * taken effect, so its entry is open until the next acknowledged change under the same key.
 */
import type { Message } from "../../../client/index.ts";
import type { RandomChange } from "../../support/client/message-changes.ts";

/** A message that was sent, whether or not it was stored. */
export interface SentMessage {
  readonly chatId: string;
  readonly senderId: string;
  readonly clientId: string;
  /** Counts the sender's messages in this chat, from 1. */
  readonly order: number;
  /** Epoch milliseconds; undefined until it is acknowledged. */
  acknowledgedAt?: number;
}

const open = Symbol("may or may not have taken effect");
/** What must be true of one property of a message after its last acknowledged change. */
type LedgerEntry = Pick<RandomChange, "messageId" | "holds">;

export class Ledger {
  readonly sent: SentMessage[] = [];
  /** Codes of permanent refusals that the server had no reason for. */
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

  /** Makes a change and records what must be stored afterwards. Each key has one writer, who waits for each answer. */
  async change({ key, messageId, make, holds }: RandomChange): Promise<void> {
    this.entries.set(key, open);
    await make();
    this.changes++;
    this.entries.set(key, { messageId, holds });
  }

  /** Acknowledged changes that are not in the stored messages. Deleted messages are skipped: a deletion erases what was changed. */
  lost(stored: ReadonlyMap<string, Message>): string[] {
    return [...this.entries].flatMap(([key, entry]) => {
      if (entry === open) return [];
      const message = stored.get(entry.messageId);
      return message !== undefined && (message.deletedAt !== null || entry.holds(message)) ? [] : [key];
    });
  }
}
