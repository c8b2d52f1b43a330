/** Tells small chats how far their members are, twice a second at most. */
import type { Feed } from "../../core/feed/feed.ts";
import type { MemberRow } from "./collections.ts";
import { chatChannel, type ChatNote, type Receipt } from "./contract.ts";
import { presentReceipt } from "./present.ts";

const everyMs = 500;

/** Tells a chat's receipts: the first at once, those that follow gathered, a person's last one only. */
export class ReceiptNotes {
  private readonly feed: Feed;
  private readonly waiting = new Map<string, Map<string, Receipt>>();

  constructor(feed: Feed) {
    this.feed = feed;
  }

  tell(chatId: string, rows: readonly MemberRow[]): void {
    if (rows.length === 0) return;
    const waiting = this.waiting.get(chatId);
    for (const row of rows) waiting?.set(row.userId, further(presentReceipt(row), waiting.get(row.userId)));
    if (waiting === undefined) this.publish(chatId, rows.map(presentReceipt));
  }

  private publish(chatId: string, receipts: readonly Receipt[]): void {
    const note: ChatNote = { kind: "receipts", receipts };
    this.feed.publish(chatChannel(chatId), note);
    const waiting = new Map<string, Receipt>();
    this.waiting.set(chatId, waiting);
    setTimeout(() => {
      this.waiting.delete(chatId);
      if (waiting.size > 0) this.publish(chatId, [...waiting.values()]);
    }, everyMs).unref();
  }
}

/** Two writers of one row may tell in another order than they wrote. */
const further = (one: Receipt, other: Receipt = one): Receipt => ({
  userId: one.userId,
  deliveredN: Math.max(one.deliveredN, other.deliveredN),
  readN: Math.max(one.readN, other.readN),
});
