/**
 * One chat as this gateway's sockets hear it. The room keeps the position of the last head it emitted, drops what is older, fetches
 * what is missing, and emits in `seq` order, change by change, to those whose membership allows it. Everything that waits runs
 * one after the other; what is heard meanwhile is held. Receipts and typing have no place in the sequence, and pass at once.
 */
import type { Logger } from "moleculer";
import type { DefaultEventsMap, Server } from "socket.io";
import { counter } from "../../../../core/metrics/declare.ts";
import type { Batch, ChatNote, ChatHead, Membership, Receipt } from "../../../chat/contract.ts";
import { catchUp, type ChangePage } from "./catch-up.ts";
import type { ServerEvents } from "../server-events.ts";
import { countUnknown } from "../unknown-notes.ts";
import { DeliveryReceipts } from "./delivery-receipts.ts";
import { subscriptionEnd, ChangeRun, type SequencePosition, type RoomSubscriber } from "./change-run.ts";
import { Subscribers, type RoomSocket } from "./subscribers.ts";
import type { MembershipEnd } from "../known-memberships.ts";
import { ChatUpdates } from "./chat-updates.ts";
import { TypingIndicators } from "./typing-indicators.ts";

export interface RoomContext {
  readonly io: Server<DefaultEventsMap, ServerEvents, object>;
  readonly log: Pick<Logger, "error">;
  /** The chat's changes after `since`, a page at a time; undefined when the chat is no more. */
  readonly fetchChanges: (chatId: string, since: number) => Promise<ChangePage | undefined>;
  readonly raiseDelivered: (chatId: string, marks: Readonly<Record<string, number>>) => Promise<unknown>;
  /** The socket's person is a member no more, and the socket was put out. */
  readonly onUnsubscribed: (socket: RoomSocket, left: MembershipEnd) => void;
  readonly onEmpty: (chatId: string) => void;
}

/** A failed fetch is repeated after this, for a room must not stay behind. */
const retryMs = 500;
/** Batches held while the room waits; more are fetched instead. */
const maxPendingBatches = 500;

/**
 * How a room found that it lacked changes: a batch that did not follow the last one (`gap`), the poll for missed changes (`poll`), more
 * batches while it was busy than it holds (`backlog`), or a socket or someone's note that was further than the room (`ahead`).
 */
export type RepairCause = "gap" | "poll" | "backlog" | "ahead";
const repairs = counter(
  "parley_feed_repairs_total",
  "Rooms that fetched changes from the store which the feed had not brought, by how they noticed",
  ["cause"],
);
for (const cause of ["gap", "poll", "backlog", "ahead"] satisfies RepairCause[]) repairs.of().inc({ cause }, 0);

export class Room {
  readonly chatId: string;
  private readonly context: RoomContext;
  private readonly subscribers: Subscribers;
  private readonly typingIndicators: TypingIndicators;
  private readonly receipts: DeliveryReceipts;
  private readonly chatUpdates: ChatUpdates;
  private position: SequencePosition | undefined;
  /** Sockets whose seating is queued, with the seat they shall have. */
  private readonly subscribing = new Map<RoomSocket, RoomSubscriber>();
  private tasks: (() => Promise<void>)[] = [];
  private pendingBatches: Batch[] = [];
  /** The head is known to be here. */
  private targetSeq = 0;
  private isRepairing = false;
  /** Answers under way whose sockets will be seated. */
  private retainCount = 0;
  private isBusy = false;
  private isClosed = false;
  /** Where the room was when `unreportedPosition` was last called. */
  private reportedSeq = 0;

  constructor(chatId: string, parts: RoomContext) {
    this.chatId = chatId;
    this.context = parts;
    this.subscribers = new Subscribers(parts.io, chatId);
    this.chatUpdates = new ChatUpdates((chat, seq) => this.subscribers.emitChat(chat, seq));
    this.typingIndicators = new TypingIndicators((note) => this.subscribers.emitTyping({ chatId, ...note }));
    this.receipts = new DeliveryReceipts({
      emit: (receipt) => this.subscribers.emitReceipt({ chatId, ...receipt }),
      raiseDelivered: (marks) => parts.raiseDelivered(chatId, marks),
    });
  }

  private get seq(): number {
    return this.position?.seq ?? 0;
  }

  /** Sets where the room begins: a head read after its channel was listened to. */
  begin({ seq, n, memberCount }: ChatHead): void {
    if (this.position === undefined) {
      this.position = { seq, n };
      this.receipts.memberCount = memberCount;
      this.reportedSeq = seq;
    }
    void this.drain();
  }

  /** Whether a socket sits here or is about to: then it hears in the chat's sequence that its person was removed. */
  has(socket: RoomSocket): boolean {
    return this.subscribers.get(socket) !== undefined || this.subscribing.has(socket);
  }

  /** Keeps the room while an answer is under way that its sockets wait for. @returns the release, to be called once */
  retain(): () => void {
    this.retainCount++;
    return () => {
      this.retainCount--;
      this.closeIfUnused();
    };
  }

  /** A note from the chat's channel. A batch is emitted at once when it follows what was emitted last. */
  onNote(note: ChatNote): void {
    if (this.isClosed) return;
    if (note.kind === "typing") this.typingIndicators.update(note);
    else if (note.kind === "receipts") for (const receipt of note.receipts) this.receipts.update(receipt);
    else if ((note.kind as string) !== "batch") countUnknown("chat");
    else if (!this.isBusy && this.position !== undefined) this.applyBatch(note);
    else if (this.pendingBatches.push(note) > maxPendingBatches) {
      this.pendingBatches = [];
      this.fetchUpTo(note.seq, "backlog");
    }
  }

  /** The head is known to be here: fetch what is missing, unless it was heard meanwhile. */
  fetchUpTo(seq: number, cause: RepairCause): void {
    if (seq <= this.seq) return;
    this.targetSeq = Math.max(this.targetSeq, seq);
    if (this.isRepairing) return;
    this.isRepairing = true;
    this.enqueue(() => this.repair(cause));
  }

  /**
   * Seats a socket that has seen everything up to `from`; it gets what came after, then all that comes.
   * @param known  the members' marks as it was told them
   */
  subscribe(socket: RoomSocket, { userId, joinedN, joinedSeq }: Membership, from: SequencePosition, known: readonly Receipt[] = []): void {
    if ((this.subscribers.get(socket)?.joinedSeq ?? 0) >= joinedSeq) return;
    const subscriber = { userId, joinedN, joinedSeq };
    this.subscribers.remove(socket);
    this.subscribing.set(socket, subscriber);
    this.enqueue(async () => {
      try {
        await this.addSubscriber(socket, subscriber, from, known);
      } finally {
        if (this.subscribing.get(socket) === subscriber) this.subscribing.delete(socket);
      }
    });
  }

  /** Puts a socket out. */
  unsubscribe(socket: RoomSocket): void {
    this.subscribing.delete(socket);
    if (this.subscribers.remove(socket)) this.closeIfUnused();
  }

  /** @returns where the room is and who sits there, if it moved since this was asked last */
  unreportedPosition(): { readonly seq: number; readonly sockets: readonly RoomSocket[] } | undefined {
    const { seq } = this;
    if (seq === this.reportedSeq) return undefined;
    this.reportedSeq = seq;
    return { seq, sockets: this.subscribers.atPosition };
  }

  /** The chat is no more: nobody has any business here. */
  end(): void {
    const sockets = new Set([...this.subscribing.keys(), ...this.subscribers.all]);
    this.subscribing.clear();
    for (const socket of sockets) {
      this.subscribers.remove(socket);
      this.context.onUnsubscribed(socket, { chatId: this.chatId, leftSeq: Number.MAX_SAFE_INTEGER });
    }
    if (this.close()) this.context.onEmpty(this.chatId);
  }

  /** Stops what the room has under way. @returns whether it was open */
  close(): boolean {
    if (this.isClosed) return false;
    this.isClosed = true;
    this.tasks = [];
    this.pendingBatches = [];
    this.typingIndicators.close();
    this.receipts.close();
    this.chatUpdates.close();
    return true;
  }

  private closeIfUnused(): void {
    if (this.subscribers.size > 0 || this.retainCount > 0 || this.isBusy || this.tasks.length > 0) return;
    if (this.close()) this.context.onEmpty(this.chatId);
  }

  private enqueue(task: () => Promise<void>): void {
    this.tasks.push(task);
    void this.drain();
  }

  private async drain(): Promise<void> {
    if (this.isBusy || this.position === undefined) return;
    this.isBusy = true;
    while (this.tasks.length > 0 || this.pendingBatches.length > 0) {
      try {
        for (const batch of this.pendingBatches.splice(0)) this.applyBatch(batch);
        await this.tasks.shift()?.();
      } catch (error) {
        this.context.log.error(error); // one task's failure must not stop the room
      }
    }
    this.isBusy = false;
    this.closeIfUnused();
  }

  private async addSubscriber(
    socket: RoomSocket,
    subscriber: RoomSubscriber,
    from: SequencePosition,
    known: readonly Receipt[],
  ): Promise<void> {
    const isWanted = () => this.subscribing.get(socket) === subscriber && socket.connected;
    if (!isWanted()) return;
    const context = { fetch: (since: number) => this.fetch(since), isWanted, seq: () => this.seq, pause };
    const position = from.seq < this.seq ? await catchUp(socket, subscriber, from, context) : from;
    if (position === undefined) return;
    if ("leftSeq" in position) {
      this.context.onUnsubscribed(socket, { chatId: this.chatId, leftSeq: position.leftSeq });
      return;
    }
    this.subscribers.add(socket, subscriber, position, this.seq);
    this.fetchUpTo(position.seq, "ahead");
    // Receipts have no place in the sequence: those between its answer and its seat it would miss.
    for (const receipt of this.receipts.addSocket(subscriber.userId, position.n, known))
      socket.emit("receipt", { chatId: this.chatId, ...receipt });
  }

  private applyBatch(batch: Batch): void {
    if (batch.seq <= this.seq) return;
    if (batch.prevSeq > this.seq) this.fetchUpTo(batch.seq, "gap");
    else this.deliver(batch, new ChangeRun(this.position!));
  }

  /** Fetches until the room has reached the target; less than was announced is asked for again, never passed over. */
  private async repair(cause: RepairCause): Promise<void> {
    const run = new ChangeRun(this.position!);
    if (this.seq < this.targetSeq) repairs.of().inc({ cause });
    try {
      for (let isComplete = this.seq >= this.targetSeq; !isComplete;) {
        const page = await this.fetch(this.seq);
        if (page === undefined) return;
        if (page.seq > this.seq) this.deliver(page, run, !page.more);
        else await pause();
        isComplete = !page.more && this.seq >= this.targetSeq;
      }
    } finally {
      this.isRepairing = false;
    }
  }

  private async fetch(since: number): Promise<ChangePage | undefined> {
    while (!this.isClosed) {
      try {
        const page = await this.context.fetchChanges(this.chatId, since);
        if (page === undefined) this.end();
        return page;
      } catch {
        await pause(); // the services or their store are away; the room waits for them
      }
    }
    return undefined;
  }

  /** Emits a batch and moves on. @param isLastPage  false when the next page of the same run follows */
  private deliver(batch: Batch, run: ChangeRun, isLastPage = true): void {
    for (const membership of batch.memberChanges) this.unsubscribeEnded(membership, 0);
    const leaving = batch.memberChanges.filter(({ leftSeq }) => leftSeq !== null).sort((a, b) => a.leftSeq! - b.leftSeq!);
    for (const change of batch.changedMessages) {
      if (change.seq <= this.seq) continue;
      while (leaving.length > 0 && leaving[0]!.leftSeq! <= change.seq) this.unsubscribeEnded(leaving.shift()!, change.seq);
      const event = run.eventFor(change);
      this.subscribers.emitChange(event, change);
      if (event === "receiveMessage" && change.kind !== "system") this.typingIndicators.stop(change.senderId);
    }
    for (const membership of leaving) this.unsubscribeEnded(membership, batch.seq);
    run.record(batch);
    this.receipts.memberCount = batch.memberCount;
    // The count of messages is the head's, and what is new to the room is not to those further: both hold at the end only.
    this.position = { seq: batch.seq, n: isLastPage ? batch.n : run.from.n };
    if (isLastPage) this.finishRun(run);
    this.closeIfUnused();
  }

  /** At the end of a run. */
  private finishRun({ chatUpdate, senders }: ChangeRun): void {
    const { seq, n } = this.position!;
    if (chatUpdate !== undefined) this.chatUpdates.publish(chatUpdate);
    this.subscribers.mergeAhead(seq);
    if (senders.size > 0 && this.receipts.tracksDelivery) this.receipts.recordDelivered(this.subscribers.userIdsAtPosition, n, senders);
  }

  /** Puts a person's sockets out whose membership ended by this change. */
  private unsubscribeEnded(membership: Membership, seq: number): void {
    const { userId, leftSeq } = membership;
    if (leftSeq !== null && leftSeq <= seq) {
      this.typingIndicators.stop(userId);
      this.receipts.forget(userId);
    }
    for (const socket of this.subscribers.all) {
      const end = subscriptionEnd(this.subscribers.get(socket)!, membership);
      if (end === undefined || end.at > seq) continue;
      this.subscribers.remove(socket);
      this.context.onUnsubscribed(socket, { chatId: this.chatId, leftSeq: end.leftSeq });
    }
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, retryMs));
