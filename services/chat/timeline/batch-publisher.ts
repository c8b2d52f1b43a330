/**
 * Publishes one chat's committed batches. If it is unknown whether gateways got a change, it publishes the chat's head, and rooms below
 * that head fetch what they lack.
 */
import type { Clock } from "../../../core/clock.ts";
import type { Feed } from "../../../core/feed/feed.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { expect, type Database } from "../../../core/store/store.ts";
import { chatChannel, type ChatNote } from "../contract.ts";
import { presentShared } from "../present.ts";
import { chats } from "../store/collections.ts";
import { chatById, firstMembers } from "../store/repository.ts";
import { ChangeBatch } from "./batch.ts";
import { headSnapshot } from "./snapshot.ts";

export interface BatchPublisherContext {
  readonly db: Database;
  readonly feed: Feed;
  readonly clock: Clock;
}

/** Delay before the head is published after a commit with an unknown outcome. */
const headPublishDelayMs = 1000;

export class BatchPublisher {
  private readonly chatId: string;
  private readonly context: BatchPublisherContext;
  private isHeadScheduled = false;

  constructor(chatId: string, context: BatchPublisherContext) {
    this.chatId = chatId;
    this.context = context;
  }

  get isIdle(): boolean {
    return !this.isHeadScheduled;
  }

  /** Publishes a committed batch. Never throws. */
  async publish(batch: ChangeBatch): Promise<void> {
    const { db, feed } = this.context;
    try {
      const shared = batch.isSharedViewChanged ? presentShared(batch.chat, await firstMembers(db, this.chatId)) : undefined;
      const note: ChatNote = { kind: "batch", ...batch.publication(shared) };
      feed.publish(chatChannel(this.chatId), note);
    } catch {
      // Publish only the head, so that rooms fetch everything: half of the batch would hide the other half.
      this.scheduleHead();
    }
  }

  /** Publishes the head soon, because a commit may have succeeded without being published. Rooms below the head fetch the changes. */
  scheduleHead(): void {
    if (this.isHeadScheduled) return;
    this.isHeadScheduled = true;
    setTimeout(() => void this.publishHead(), headPublishDelayMs).unref();
  }

  private async publishHead(): Promise<void> {
    const { db, clock } = this.context;
    this.isHeadScheduled = false;
    try {
      // Expected in a commit, not only read: this waits for a change that only the primary has so far, for example after a stalled disk.
      const { outcome: chat } = await commitWithRetry(db, async () => {
        const head = await chatById(db, this.chatId);
        return { operations: head === undefined ? [] : [expect(chats, { _id: head._id, seq: head.seq })], outcome: head };
      });
      if (chat !== undefined) await this.publish(new ChangeBatch(headSnapshot(chat), clock.now()));
    } catch {
      this.scheduleHead();
    }
  }
}
