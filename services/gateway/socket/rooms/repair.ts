/**
 * Fetches the changes that a room lacks. The feed may lose, repeat and reorder messages, so a room that notices a gap reads the
 * missing changes from chat.
 */
import { counter } from "../../../../core/metrics/declare.ts";
import type { ChangePage } from "./catch-up.ts";
import { ChangeRun, type SequencePosition } from "./change-run.ts";

export interface RepairContext {
  /** Changes after `since`, a page at a time. Resolves to undefined when the chat no longer exists. */
  readonly fetchChanges: (since: number) => Promise<ChangePage | undefined>;
  readonly position: () => SequencePosition | undefined;
  readonly deliver: (page: ChangePage, run: ChangeRun, isLastPage: boolean) => void;
  /** Runs a task when the room's earlier ones are done. */
  readonly enqueue: (task: () => Promise<void>) => void;
  readonly onChatGone: () => void;
  /** Whether the room has closed. Then nothing more is fetched. */
  readonly isClosed: () => boolean;
}

/** Delay before a failed fetch is repeated. It is repeated until it succeeds, because a room must not stay behind. */
const retryMs = 500;

/**
 * How a room noticed that it lacked changes: a batch that did not follow the last one (`gap`), the poll for missed changes (`poll`),
 * more batches than it keeps while it is busy (`backlog`), or a socket or note ahead of the room (`ahead`).
 */
export type RepairCause = "gap" | "poll" | "backlog" | "ahead";
const repairs = counter(
  "parley_feed_repairs_total",
  "Times a room fetched changes that the feed had not delivered, by how the room noticed",
  ["cause"],
);
for (const cause of ["gap", "poll", "backlog", "ahead"] satisfies RepairCause[]) repairs.of().inc({ cause }, 0);

export class RoomRepair {
  private readonly context: RepairContext;
  /** The highest `seq` that the chat is known to have reached. */
  private targetSeq = 0;
  private isScheduled = false;

  constructor(context: RepairContext) {
    this.context = context;
  }

  private get seq(): number {
    return this.context.position()?.seq ?? 0;
  }

  /** Schedules a repair up to `seq`, which the room has not reached. It fetches nothing if the feed brings the changes first. */
  fetchUpTo(seq: number, cause: RepairCause): void {
    this.targetSeq = Math.max(this.targetSeq, seq);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.context.enqueue(() => this.repair(cause));
  }

  /** Fetches a page, retrying until chat answers. @returns undefined when the chat no longer exists or the room has closed */
  async fetch(since: number): Promise<ChangePage | undefined> {
    while (!this.context.isClosed()) {
      try {
        const page = await this.context.fetchChanges(since);
        if (page === undefined) this.context.onChatGone();
        return page;
      } catch {
        await pause(); // chat or its store is unavailable
      }
    }
    return undefined;
  }

  /** Fetches until the room has reached the target. An answer that ends before the target is asked for again. */
  private async repair(cause: RepairCause): Promise<void> {
    const run = new ChangeRun(this.context.position()!);
    if (this.seq < this.targetSeq) repairs.of().inc({ cause });
    try {
      for (let isComplete = this.seq >= this.targetSeq; !isComplete;) {
        const page = await this.fetch(this.seq);
        if (page === undefined) return;
        if (page.seq > this.seq) this.context.deliver(page, run, !page.more);
        else await pause();
        isComplete = !page.more && this.seq >= this.targetSeq;
      }
    } finally {
      this.isScheduled = false;
    }
  }
}

export const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, retryMs));
