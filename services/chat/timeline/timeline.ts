/**
 * A chat's one sequence. Changes queue here on the node that handles them; while one commit is on its way the next gathers, and
 * each is judged on the very head its commit expects. So a change becomes visible in `seq` order or not at all, whoever else
 * writes; a stale writer meets `Conflict`, reads again and judges again.
 */
import type { Logger } from "moleculer";
import type { Clock } from "../../../core/clock.ts";
import { codeOf, DomainError, Forbidden, Unavailable } from "../../../core/errors.ts";
import type { Feed } from "../../../core/feed/feed.ts";
import { currentRequest, inRequest, type RequestContext } from "../../../core/request-context.ts";
import { histogram } from "../../../core/metrics/declare.ts";
import { refusalCounter } from "../../../core/metrics/resources.ts";
import { randomBackOff, commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { Duplicate, expect, type Database } from "../../../core/store/store.ts";
import type { ChatRepository } from "../store/repository.ts";
import { chats, messages, type ChatRow, type MemberRow, type MessageRow } from "../store/collections.ts";
import { chatChannel, type ChatNote } from "../contract.ts";
import { ChangeBatch } from "./batch.ts";
import { notAMember, isVisible } from "../policy.ts";
import { presentShared } from "../present.ts";
import { headSnapshot, readSnapshot } from "./snapshot.ts";
import { expiry, resultOfRepeat, type Change } from "./change.ts";

export interface TimelineContext {
  readonly db: Database;
  readonly repository: ChatRepository;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Changes a chat's queue holds at most; beyond it senders are told to come back. */
const maxQueued = 5000;
const queueBound = refusalCounter("chat_queue");
/** What one commit takes at most. */
const maxBatch = { changes: 500, bytes: 512 * 1024 };
const batchChanges = histogram("parley_chat_batch_changes", "Changes of one chat that were judged and committed together", {
  buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
});
/** After a failure whose outcome is not known, the head is announced as soon as it can be read. */
const headPublishDelayMs = 1000;

interface QueuedChange {
  readonly change: Change<unknown>;
  readonly expiresAt: number;
  readonly request: RequestContext | undefined;
  /** Typed by `append`: a change's own result. */
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}
type ChangeDecision = { readonly result: unknown } | { readonly refusal: unknown };

/** What is known of the chat: right until a commit says otherwise. `null` for someone who never was a member. */
interface TimelineState {
  chat: ChatRow;
  readonly people: Map<string, MemberRow | null>;
}

export class Timeline {
  private readonly chatId: string;
  private readonly context: TimelineContext;
  private queue: QueuedChange[] = [];
  private isRunning = false;
  private state: TimelineState | undefined;
  private isHeadPublishScheduled = false;

  constructor(chatId: string, context: TimelineContext) {
    this.chatId = chatId;
    this.context = context;
  }

  get isIdle(): boolean {
    return !this.isRunning && !this.isHeadPublishScheduled;
  }

  /**
   * Queues a change.
   * @param expiresAt  when its caller has given up, epoch milliseconds; one for all changes of a call, or their tail could be
   *                   stored without their beginning
   * @returns what `apply` returned, once it is stored
   * @throws Unavailable  the queue is full, or the store did not answer: the change may be repeated
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
    // What arrives in the same turn of the event loop goes into the first commit too.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const queued = this.dequeueBatch();
      // A commit belongs to several requests; what is said of it, and follows from it, goes under the first one's id.
      await inRequest(queued[0]?.request, () => this.commitOrFail(queued));
    }
    this.isRunning = false;
  }

  /** @returns false  the store did not answer, and all who waited were told */
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

  /** What no store should refuse is one entry's fault: it fails alone. */
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

  /** What is queued behind a failure fails with it, or a sender's later message would overtake the earlier one. */
  private fail(queued: readonly QueuedChange[], error: unknown): false {
    for (const { reject } of [...queued, ...this.queue.splice(0)]) reject(error);
    this.scheduleHeadPublish();
    return false;
  }

  /** The failed commit may have happened after all, and then nobody has heard of it: rooms below this head fetch it. */
  private scheduleHeadPublish(): void {
    if (this.isHeadPublishScheduled) return;
    this.isHeadPublishScheduled = true;
    setTimeout(() => void this.publishHead(), headPublishDelayMs).unref();
  }

  private async publishHead(): Promise<void> {
    this.isHeadPublishScheduled = false;
    try {
      // Expected, and not only read: a change that only the primary has so far, of a disk that stood still, is waited for.
      const { outcome: chat } = await commitWithRetry(this.context.db, async () => {
        const head = await this.context.repository.chat(this.chatId);
        return { operations: head === undefined ? [] : [expect(chats, { _id: head._id, seq: head.seq })], outcome: head };
      });
      if (chat !== undefined) await this.publish(new ChangeBatch(headSnapshot(chat), this.context.clock.now()));
    } catch {
      this.scheduleHeadPublish();
    }
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
        this.scheduleHeadPublish();
        const remaining = await this.answerRepeats(pending);
        if (remaining.length === pending.length) throw new Error("a clientId is taken by a message that is not there");
        pending = remaining;
      } else {
        await this.answerAll(pending, decisions);
        return;
      }
    }
  }

  /** A draft on the head and all the rows that these changes ask for; undefined when there is no such chat. */
  private async batchFor(entries: readonly QueuedChange[]): Promise<ChangeBatch | undefined> {
    const { repository, clock } = this.context;
    if (this.state === undefined) {
      const chat = await repository.chat(this.chatId);
      if (chat === undefined) return undefined;
      this.state = { chat, people: new Map() };
    }
    const { chat, people } = this.state;
    const reads = entries.map(({ change }) => change.reads);
    return new ChangeBatch(await readSnapshot(repository, chat, people, reads), clock.now());
  }

  private decide({ change, expiresAt }: QueuedChange, batch: ChangeBatch | undefined): ChangeDecision {
    try {
      if (batch === undefined) throw new Forbidden(notAMember);
      if (this.context.clock.now() > expiresAt) throw new Unavailable("This chat is too busy, try again");
      const { idempotencyKey } = change;
      const first = idempotencyKey === undefined ? undefined : batch.sentBefore(idempotencyKey.senderId, idempotencyKey.clientId);
      if (idempotencyKey !== undefined && first !== undefined) {
        // Stored by a commit whose answer was lost, maybe, so that nobody has heard of it yet.
        this.scheduleHeadPublish();
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
    await this.publish(batch);
    return "stored";
  }

  private async publish(batch: ChangeBatch): Promise<void> {
    const { feed, repository } = this.context;
    try {
      const shared = batch.isSharedViewChanged ? presentShared(batch.chat, await repository.firstMembers(this.chatId)) : undefined;
      const note: ChatNote = { kind: "batch", ...batch.publication(shared) };
      feed.publish(chatChannel(this.chatId), note);
    } catch {
      // Half of it would hide the other half: told of the head alone, rooms fetch all of it.
      this.scheduleHeadPublish();
    }
  }

  /**
   * Answers those whose message is stored already.
   * @param mayAnswer  whether this sender may see the message as it is now
   * @returns the others
   */
  private async answerRepeats(
    entries: readonly QueuedChange[],
    mayAnswer: (row: MessageRow) => boolean = () => true,
  ): Promise<QueuedChange[]> {
    const { repository } = this.context;
    const sends = entries.flatMap(({ change: { idempotencyKey } }) => (idempotencyKey === undefined ? [] : [idempotencyKey]));
    const keys = sends.map(({ senderId, clientId }) => ({ chatId: this.chatId, senderId, clientId }));
    const rows = (keys.length === 0 ? [] : await repository.messagesByClientId(keys)).filter(mayAnswer);
    const readers = rows.length === 0 ? [] : await repository.firstMembers(this.chatId);
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
    // Stored before its sender lost the right: a repeat is still answered with the message, but not with what became of it since.
    const people = this.state?.people;
    const isVisibleToSender = (row: MessageRow) => {
      const sender = people?.get(row.senderId);
      return sender != null && isVisible(sender, row);
    };
    for (const entry of await this.answerRepeats(refused, isVisibleToSender)) entry.reject(refusals.get(entry));
  }
}
