/**
 * A chat's one sequence. Changes queue here on the node that handles them; while one commit is on its way the next gathers, and
 * each is judged on the very head its commit expects. So a change becomes visible in `seq` order or not at all, whoever else
 * writes; a stale writer meets `Conflict`, reads again and judges again.
 */
import type { Logger } from "moleculer";
import type { Clock } from "../../core/clock.ts";
import { codeOf, Conflict, DomainError, Forbidden, Unavailable } from "../../core/errors.ts";
import type { Feed } from "../../core/feed/feed.ts";
import { currentRequest, inRequest, type RequestContext } from "../../core/request-context.ts";
import { histogram } from "../../core/metrics/declare.ts";
import { refusalCounter } from "../../core/metrics/resources.ts";
import { randomBackOff, commitWithRetry } from "../../core/store/commit-with-retry.ts";
import { Duplicate, expect, type Database } from "../../core/store/store.ts";
import type { Repository } from "./chat.repository.ts";
import { chats, messages, type ChatRow, type MemberRow, type MessageRow } from "./collections.ts";
import { chatChannel, type ChatNote } from "./contract.ts";
import { Draft } from "./draft.ts";
import { notAMember, visible } from "./policy.ts";
import { presentShared } from "./present.ts";
import { bareScene, sceneOf, type Needs } from "./scene.ts";

/** One change, as data and a decision. */
export interface Change<R> {
  /** The rows that the decision rests on. */
  readonly needs: Needs;
  /** About how many bytes it writes. */
  readonly size: number;
  /** Decides on this head and writes to the draft. A refusal is thrown, before anything is written. */
  readonly apply: (draft: Draft) => R;
  /** A send's key: a repeat is answered with the first one's message. */
  readonly once?: Once<R>;
}
export interface Once<R> {
  readonly senderId: string;
  readonly clientId: string;
  readonly bodyHash: string;
  readonly found: (row: MessageRow, readers: readonly MemberRow[]) => R;
}

export interface TimelineParts {
  readonly db: Database;
  readonly repository: Repository;
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
/** How long a change is tried, from its call on: a little less than its caller waits. */
const patienceMs = 9000;
/** After a failure whose outcome is not known, the head is announced as soon as it can be read. */
const announceAfterMs = 1000;

interface Entry {
  readonly change: Change<unknown>;
  readonly expiresAt: number;
  readonly request: RequestContext | undefined;
  /** Typed by `append`: a change's own result. */
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}
type Outcome = { readonly result: unknown } | { readonly refusal: unknown };

/** What is known of the chat: right until a commit says otherwise. `null` for someone who never was a member. */
interface State {
  chat: ChatRow;
  readonly people: Map<string, MemberRow | null>;
}

export class Timeline {
  private readonly chatId: string;
  private readonly parts: TimelineParts;
  private queue: Entry[] = [];
  private running = false;
  private state: State | undefined;
  private isAnnouncing = false;

  constructor(chatId: string, parts: TimelineParts) {
    this.chatId = chatId;
    this.parts = parts;
  }

  get isIdle(): boolean {
    return !this.running && !this.isAnnouncing;
  }

  /**
   * Queues a change.
   * @param expiresAt  when its caller has given up, epoch milliseconds; one for all changes of a call, or their tail could be
   *                   stored without their beginning
   * @returns what `apply` returned, once it is stored
   * @throws Unavailable  the queue is full, or the store did not answer: the change may be repeated
   */
  append<R>(change: Change<R>, expiresAt: number = expiry(this.parts.clock)): Promise<R> {
    if (this.queue.length >= maxQueued) {
      queueBound.countRefusal();
      return Promise.reject(new Unavailable("This chat is too busy, try again"));
    }
    return new Promise<R>((resolve, reject) => {
      this.queue.push({ change, expiresAt, request: currentRequest(), resolve: resolve as Entry["resolve"], reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    // What arrives in the same turn of the event loop goes into the first commit too.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const batch = this.take();
      // A commit belongs to several requests; what is said of it, and follows from it, goes under the first one's id.
      await inRequest(batch[0]?.request, () => this.carryOutOrFail(batch));
    }
    this.running = false;
  }

  /** @returns false  the store did not answer, and all who waited were told */
  private async carryOutOrFail(batch: readonly Entry[]): Promise<boolean> {
    try {
      await this.carryOut(batch);
      return true;
    } catch (error) {
      this.state = undefined;
      if (codeOf(error) !== undefined) return this.fail(batch, error);
      if (batch.length > 1) return this.carryOutSingly(batch);
      this.parts.log.error(error);
      batch[0]?.reject(new DomainError("INTERNAL", "The change could not be stored"));
      return true;
    }
  }

  /** What no store should refuse is one entry's fault: it fails alone. */
  private async carryOutSingly(batch: readonly Entry[]): Promise<boolean> {
    for (const [index, entry] of batch.entries()) {
      const isAnswered = await this.carryOutOrFail([entry]);
      if (!isAnswered) return this.fail(batch.slice(index + 1), new Unavailable());
    }
    return true;
  }

  private take(): Entry[] {
    let bytes = 0;
    const end = this.queue.findIndex(({ change }, index) => (bytes += change.size) > maxBatch.bytes && index > 0);
    const batch = this.queue.splice(0, Math.min(end < 0 ? this.queue.length : end, maxBatch.changes));
    batchChanges.of().observe(batch.length);
    return batch;
  }

  /** What is queued behind a failure fails with it, or a sender's later message would overtake the earlier one. */
  private fail(batch: readonly Entry[], error: unknown): false {
    for (const { reject } of [...batch, ...this.queue.splice(0)]) reject(error);
    this.announceLater();
    return false;
  }

  /** The failed commit may have happened after all, and then nobody has heard of it: rooms below this head fetch it. */
  private announceLater(): void {
    if (this.isAnnouncing) return;
    this.isAnnouncing = true;
    setTimeout(() => void this.announceHead(), announceAfterMs).unref();
  }

  private async announceHead(): Promise<void> {
    this.isAnnouncing = false;
    try {
      // Expected, and not only read: a change that only the primary has so far, of a disk that stood still, is waited for.
      const { outcome: chat } = await commitWithRetry(this.parts.db, async () => {
        const head = await this.parts.repository.chat(this.chatId);
        return { operations: head === undefined ? [] : [expect(chats, { _id: head._id, seq: head.seq })], outcome: head };
      });
      if (chat !== undefined) await this.publish(new Draft(bareScene(chat), this.parts.clock.now()));
    } catch {
      this.announceLater();
    }
  }

  private async carryOut(batch: readonly Entry[]): Promise<void> {
    let open = batch;
    for (let attempt = 1; open.length > 0; attempt++) {
      const isFresh = this.state === undefined;
      const draft = await this.draftFor(open);
      const outcomes = open.map((entry) => this.judge(entry, draft));
      // No commit validates a refusal, or that there is nothing to change, so decide these only on freshly read state.
      const isChecked = draft?.isEmpty === false && outcomes.every((outcome) => "result" in outcome);
      if (!isFresh && !isChecked) {
        this.state = undefined;
        continue;
      }
      const stored = await this.store(draft);
      if (stored === "conflict") {
        this.state = undefined;
        await randomBackOff(attempt);
      } else if (stored === "repeated") {
        this.announceLater();
        const others = await this.answerStored(open);
        if (others.length === open.length) throw new Error("a clientId is taken by a message that is not there");
        open = others;
      } else {
        await this.settle(open, outcomes);
        return;
      }
    }
  }

  /** A draft on the head and all the rows that these changes ask for; undefined when there is no such chat. */
  private async draftFor(entries: readonly Entry[]): Promise<Draft | undefined> {
    const { repository, clock } = this.parts;
    if (this.state === undefined) {
      const chat = await repository.chat(this.chatId);
      if (chat === undefined) return undefined;
      this.state = { chat, people: new Map() };
    }
    const { chat, people } = this.state;
    const needs = entries.map(({ change }) => change.needs);
    return new Draft(await sceneOf(repository, chat, people, needs), clock.now());
  }

  private judge({ change, expiresAt }: Entry, draft: Draft | undefined): Outcome {
    try {
      if (draft === undefined) throw new Forbidden(notAMember);
      if (this.parts.clock.now() > expiresAt) throw new Unavailable("This chat is too busy, try again");
      const { once } = change;
      const first = once === undefined ? undefined : draft.sentBefore(once.senderId, once.clientId);
      if (once !== undefined && first !== undefined) {
        // Stored by a commit whose answer was lost, maybe, so that nobody has heard of it yet.
        this.announceLater();
        return { result: answerRepeat(once, first, []) };
      }
      return { result: change.apply(draft) };
    } catch (refusal) {
      return { refusal };
    }
  }

  private async store(draft: Draft | undefined): Promise<"stored" | "conflict" | "repeated"> {
    if (draft === undefined || draft.isEmpty) return "stored";
    try {
      await this.parts.db.commit(draft.operations());
    } catch (error) {
      if (error instanceof Duplicate) return error.collection === messages.name && error.index === "byClientId" ? "repeated" : "conflict";
      if (codeOf(error) === "CONFLICT") return "conflict";
      throw error;
    }
    const { people } = this.state!;
    this.state!.chat = draft.chat;
    for (const row of draft.people) people.set(row.userId, row);
    await this.publish(draft);
    return "stored";
  }

  private async publish(draft: Draft): Promise<void> {
    const { feed, repository } = this.parts;
    try {
      const shared = draft.isShared ? presentShared(draft.chat, await repository.firstMembers(this.chatId)) : undefined;
      const note: ChatNote = { kind: "batch", ...draft.batch(shared) };
      feed.publish(chatChannel(this.chatId), note);
    } catch {
      // Half of it would hide the other half: told of the head alone, rooms fetch all of it.
      this.announceLater();
    }
  }

  /**
   * Answers those whose message is stored already.
   * @param mayAnswer  whether this sender may see the message as it is now
   * @returns the others
   */
  private async answerStored(entries: readonly Entry[], mayAnswer: (row: MessageRow) => boolean = () => true): Promise<Entry[]> {
    const { repository } = this.parts;
    const sends = entries.flatMap(({ change: { once } }) => (once === undefined ? [] : [once]));
    const keys = sends.map(({ senderId, clientId }) => ({ chatId: this.chatId, senderId, clientId }));
    const rows = (keys.length === 0 ? [] : await repository.messagesByClientId(keys)).filter(mayAnswer);
    const readers = rows.length === 0 ? [] : await repository.firstMembers(this.chatId);
    return entries.filter(({ change: { once }, resolve, reject }) => {
      const row = rows.find(({ senderId, clientId }) => senderId === once?.senderId && clientId === once.clientId);
      if (once === undefined || row === undefined) return true;
      try {
        resolve(answerRepeat(once, row, readers));
      } catch (error) {
        reject(error);
      }
      return false;
    });
  }

  private async settle(entries: readonly Entry[], outcomes: readonly Outcome[]): Promise<void> {
    const refused: Entry[] = [];
    const refusals = new Map<Entry, unknown>();
    entries.forEach((entry, index) => {
      const outcome = outcomes[index]!;
      if ("result" in outcome) entry.resolve(outcome.result);
      else {
        refused.push(entry);
        refusals.set(entry, outcome.refusal);
      }
    });
    if (refused.length === 0) return;
    // Stored before its sender lost the right: a repeat is still answered with the message, but not with what became of it since.
    const people = this.state?.people;
    const isSeen = (row: MessageRow) => {
      const sender = people?.get(row.senderId);
      return sender != null && visible(sender, row);
    };
    for (const entry of await this.answerStored(refused, isSeen)) entry.reject(refusals.get(entry));
  }
}

/** @throws Conflict  the same clientId with another body */
function answerRepeat<R>(once: Once<R>, row: MessageRow, readers: readonly MemberRow[]): R {
  if (row.bodyHash !== once.bodyHash) throw new Conflict("This clientId was used for another message");
  return once.found(row, readers);
}

/** When changes of a call that begins now expire. */
export const expiry = (clock: Clock): number => clock.now() + patienceMs;
