/**
 * Orders the changes of one chat. Changes queue on the node that handles them. While one commit is running, the next batch collects.
 * Each change is decided on exactly the head that its commit expects, so changes become visible in `seq` order or not at all, even if
 * several nodes write. A writer with an old head gets a `Conflict`, reads again and decides again.
 */
import type { Logger } from "moleculer";
import { codeOf, DomainError, Forbidden, Unavailable } from "../../../core/errors.ts";
import { currentRequest, inRequest, type RequestContext } from "../../../core/request-context.ts";
import { histogram } from "../../../core/metrics/declare.ts";
import { refusalCounter } from "../../../core/metrics/resources.ts";
import { randomBackOff } from "../../../core/store/commit-with-retry.ts";
import { Duplicate } from "../../../core/store/store.ts";
import { chatById, firstMembers, messagesByClientId } from "../store/repository.ts";
import { messages, type ChatRow, type MemberRow, type MessageRow } from "../store/collections.ts";
import { BatchPublisher, type BatchPublisherContext } from "./batch-publisher.ts";
import { ChangeBatch } from "./batch.ts";
import { notAMember, isVisible } from "../policy.ts";
import { readSnapshot } from "./snapshot.ts";
import { expiry, resultOfRepeat, type Change } from "./change.ts";

export interface TimelineContext extends BatchPublisherContext {
  readonly log: Logger;
}

/** Maximum length of a chat's queue. Further changes are refused with a time to retry. */
const maxQueued = 5000;
const queueBound = refusalCounter("chat_queue");
/** Limits of one commit. */
const maxBatch = { changes: 500, bytes: 512 * 1024 };
const batchChanges = histogram("parley_chat_batch_changes", "Changes of one chat that were decided and committed together", {
  buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
});

interface QueuedChange {
  readonly change: Change<unknown>;
  readonly expiresAt: number;
  readonly request: RequestContext | undefined;
  /** The change's own result, typed by `append`. */
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}
type ChangeDecision = { readonly result: unknown } | { readonly refusal: unknown };

/** Known state of the chat, assumed to be current until a commit fails. `null` for a user who was never a member. */
interface TimelineState {
  chat: ChatRow;
  readonly people: Map<string, MemberRow | null>;
}

export class Timeline {
  private readonly chatId: string;
  private readonly context: TimelineContext;
  private readonly publisher: BatchPublisher;
  private queue: QueuedChange[] = [];
  private isRunning = false;
  private state: TimelineState | undefined;

  constructor(chatId: string, context: TimelineContext) {
    this.chatId = chatId;
    this.context = context;
    this.publisher = new BatchPublisher(chatId, context);
  }

  get isIdle(): boolean {
    return !this.isRunning && this.publisher.isIdle;
  }

  /**
   * Queues a change.
   * @param expiresAt  when the caller gives up, epoch milliseconds. All changes of a call have the same, or the last ones could be
   *                   stored without the first
   * @returns the result of `apply`, once it is stored
   * @throws Unavailable  the queue is full, or the store did not answer. The change may be retried
   */
  append<R>(change: Change<R>, expiresAt: number = expiry(this.context.clock)): Promise<R> {
    if (this.queue.length >= maxQueued) {
      queueBound.countRefusal();
      return Promise.reject(new Unavailable("This chat is too busy, try again"));
    }
    return new Promise<R>((resolve, reject) => {
      this.queue.push({ change, expiresAt, request: currentRequest(), resolve: resolve as QueuedChange["resolve"], reject });
      if (!this.isRunning) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    // Include the changes that arrive in the same turn of the event loop.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const queued = this.dequeueBatch();
      // A commit serves several requests. Its log lines and events carry the id of the first.
      await inRequest(queued[0]?.request, () => this.commitOrFail(queued));
    }
    this.isRunning = false;
  }

  /** @returns false  the store did not answer, and all queued changes failed */
  private async commitOrFail(queued: readonly QueuedChange[]): Promise<boolean> {
    try {
      await this.decideAndCommit(queued);
      return true;
    } catch (error) {
      this.state = undefined;
      if (codeOf(error) !== undefined) return this.fail(queued, error);
      if (queued.length > 1) return this.commitSingly(queued);
      this.context.log.error(error);
      queued[0]?.reject(new DomainError("INTERNAL", "The change could not be stored"));
      return true;
    }
  }

  /** Commits changes one by one after a refusal that one of them causes, so that only this one fails. */
  private async commitSingly(queued: readonly QueuedChange[]): Promise<boolean> {
    for (const [index, entry] of queued.entries()) {
      const hasStoreAnswered = await this.commitOrFail([entry]);
      if (!hasStoreAnswered) return this.fail(queued.slice(index + 1), new Unavailable());
    }
    return true;
  }

  private dequeueBatch(): QueuedChange[] {
    let bytes = 0;
    const end = this.queue.findIndex(({ change }, index) => (bytes += change.estimatedBytes) > maxBatch.bytes && index > 0);
    const queued = this.queue.splice(0, Math.min(end < 0 ? this.queue.length : end, maxBatch.changes));
    batchChanges.of().observe(queued.length);
    return queued;
  }

  /**
   * Fails all queued changes: otherwise a sender's later message could be stored before a failed earlier one. The failed commit may have
   * succeeded, so its head is published.
   */
  private fail(queued: readonly QueuedChange[], error: unknown): false {
    for (const { reject } of [...queued, ...this.queue.splice(0)]) reject(error);
    this.publisher.scheduleHead();
    return false;
  }

  private async decideAndCommit(queued: readonly QueuedChange[]): Promise<void> {
    let pending = queued;
    for (let attempt = 1; pending.length > 0; attempt++) {
      const isFresh = this.state === undefined;
      const batch = await this.batchFor(pending);
      const decisions = pending.map((entry) => this.decide(entry, batch));
      // No commit validates a refusal, or that there is nothing to change, so decide these only on freshly read state.
      const isValidatedByCommit = batch?.isEmpty === false && decisions.every((decision) => "result" in decision);
      if (!isFresh && !isValidatedByCommit) {
        this.state = undefined;
        continue;
      }
      const commitResult = await this.tryCommit(batch);
      if (commitResult === "conflict") {
        this.state = undefined;
        await randomBackOff(attempt);
      } else if (commitResult === "repeated") {
        this.publisher.scheduleHead();
        const remaining = await this.answerRepeats(pending);
        if (remaining.length === pending.length) throw new Error("a clientId is taken by a message that is not there");
        pending = remaining;
      } else {
        await this.answerAll(pending, decisions);
        return;
      }
    }
  }

  /** A batch on the head and the rows that these changes need; undefined if the chat does not exist. */
  private async batchFor(entries: readonly QueuedChange[]): Promise<ChangeBatch | undefined> {
    const { db, clock } = this.context;
    if (this.state === undefined) {
      const chat = await chatById(db, this.chatId);
      if (chat === undefined) return undefined;
      this.state = { chat, people: new Map() };
    }
    const { chat, people } = this.state;
    const reads = entries.map(({ change }) => change.reads);
    return new ChangeBatch(await readSnapshot(db, chat, people, reads), clock.now());
  }

  private decide({ change, expiresAt }: QueuedChange, batch: ChangeBatch | undefined): ChangeDecision {
    try {
      if (batch === undefined) throw new Forbidden(notAMember);
      if (this.context.clock.now() > expiresAt) throw new Unavailable("This chat is too busy, try again");
      const { idempotencyKey } = change;
      const first = idempotencyKey === undefined ? undefined : batch.sentBefore(idempotencyKey.senderId, idempotencyKey.clientId);
      if (idempotencyKey !== undefined && first !== undefined) {
        // A commit whose answer was lost may have stored it without publishing it.
        this.publisher.scheduleHead();
        return { result: resultOfRepeat(idempotencyKey, first, []) };
      }
      return { result: change.apply(batch) };
    } catch (refusal) {
      return { refusal };
    }
  }

  private async tryCommit(batch: ChangeBatch | undefined): Promise<"stored" | "conflict" | "repeated"> {
    if (batch === undefined || batch.isEmpty) return "stored";
    try {
      await this.context.db.commit(batch.operations());
    } catch (error) {
      if (error instanceof Duplicate) return error.collection === messages.name && error.index === "byClientId" ? "repeated" : "conflict";
      if (codeOf(error) === "CONFLICT") return "conflict";
      throw error;
    }
    const { people } = this.state!;
    this.state!.chat = batch.chat;
    for (const row of batch.changedMembers) people.set(row.userId, row);
    await this.publisher.publish(batch);
    return "stored";
  }

  /**
   * Answers the changes whose message is already stored.
   * @param mayAnswer  whether this sender may see the message in its current state
   * @returns the other changes
   */
  private async answerRepeats(
    entries: readonly QueuedChange[],
    mayAnswer: (row: MessageRow) => boolean = () => true,
  ): Promise<QueuedChange[]> {
    const { db } = this.context;
    const sends = entries.flatMap(({ change: { idempotencyKey } }) => (idempotencyKey === undefined ? [] : [idempotencyKey]));
    const keys = sends.map(({ senderId, clientId }) => ({ chatId: this.chatId, senderId, clientId }));
    const rows = (keys.length === 0 ? [] : await messagesByClientId(db, keys)).filter(mayAnswer);
    const readers = rows.length === 0 ? [] : await firstMembers(db, this.chatId);
    return entries.filter(({ change: { idempotencyKey }, resolve, reject }) => {
      const row = rows.find(({ senderId, clientId }) => senderId === idempotencyKey?.senderId && clientId === idempotencyKey.clientId);
      if (idempotencyKey === undefined || row === undefined) return true;
      try {
        resolve(resultOfRepeat(idempotencyKey, row, readers));
      } catch (error) {
        reject(error);
      }
      return false;
    });
  }

  private async answerAll(entries: readonly QueuedChange[], decisions: readonly ChangeDecision[]): Promise<void> {
    const refused: QueuedChange[] = [];
    const refusals = new Map<QueuedChange, unknown>();
    entries.forEach((entry, index) => {
      const decision = decisions[index]!;
      if ("result" in decision) entry.resolve(decision.result);
      else {
        refused.push(entry);
        refusals.set(entry, decision.refusal);
      }
    });
    if (refused.length === 0) return;
    // Stored before the sender lost access: a repeat still gets the message, but not its later changes.
    const people = this.state?.people;
    const isVisibleToSender = (row: MessageRow) => {
      const sender = people?.get(row.senderId);
      return sender != null && isVisible(sender, row);
    };
    for (const entry of await this.answerRepeats(refused, isVisibleToSender)) entry.reject(refusals.get(entry));
  }
}
