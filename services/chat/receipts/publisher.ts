/** Publishes receipts in small chats, at most twice per second. */
import type { Feed } from "../../../core/feed/feed.ts";
import type { MemberRow } from "../store/collections.ts";
import { chatChannel, type ChatNote, type Receipt } from "../contract.ts";
import { presentReceipt } from "../present.ts";

const publishIntervalMs = 500;

/** Publishes a chat's receipts: the first immediately, later ones collected, with only the last one of each member. */
export class ReceiptPublisher {
  private readonly feed: Feed;
  private readonly pendingByChat = new Map<string, Map<string, Receipt>>();

  constructor(feed: Feed) {
    this.feed = feed;
  }

  publishThrottled(chatId: string, rows: readonly MemberRow[]): void {
    if (rows.length === 0) return;
    const pending = this.pendingByChat.get(chatId);
    for (const row of rows) pending?.set(row.userId, furthest(presentReceipt(row), pending.get(row.userId)));
    if (pending === undefined) this.publishNow(chatId, rows.map(presentReceipt));
  }

  private publishNow(chatId: string, receipts: readonly Receipt[]): void {
    const note: ChatNote = { kind: "receipts", receipts };
    this.feed.publish(chatChannel(chatId), note);
    const pending = new Map<string, Receipt>();
    this.pendingByChat.set(chatId, pending);
    setTimeout(() => {
      this.pendingByChat.delete(chatId);
      if (pending.size > 0) this.publishNow(chatId, [...pending.values()]);
    }, publishIntervalMs).unref();
  }
}

/** Keeps the highest watermarks: two writers of one row may publish in another order than they wrote. */
const furthest = (one: Receipt, other: Receipt = one): Receipt => ({
  userId: one.userId,
  deliveredN: Math.max(one.deliveredN, other.deliveredN),
  readN: Math.max(one.readN, other.readN),
});
