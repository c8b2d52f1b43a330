/**
 * Delivers one chat to this gateway's sockets. A room keeps the position of the last change it emitted, drops older ones, fetches
 * missing ones, and emits changes in `seq` order to the sockets whose membership allows it. Work that waits for I/O runs one task at
 * a time, and batches that arrive meanwhile are kept. Receipts and typing have no position in the sequence, so they are emitted at
 * once.
 */
import type { Logger } from "moleculer";
import type { DefaultEventsMap, Server } from "socket.io";
import type { Batch, ChatNote, ChatHead, Membership, Receipt } from "../../../chat/contract.ts";
import { catchUp, type ChangePage } from "./catch-up.ts";
import type { ServerEvents } from "../server-events.ts";
import { countUnknown } from "../unknown-notes.ts";
import { DeliveryReceipts } from "./delivery-receipts.ts";
import { subscriptionEnd, ChangeRun, type SequencePosition, type RoomSubscriber } from "./change-run.ts";
import { RoomRepair, pause, type RepairCause } from "./repair.ts";
import { SerialTasks } from "./serial-tasks.ts";
import { Subscribers, type RoomSocket } from "./subscribers.ts";
import type { MembershipEnd } from "../known-memberships.ts";
import { ChatUpdates } from "./chat-updates.ts";
import { TypingIndicators } from "./typing-indicators.ts";

export interface RoomContext {
  readonly io: Server<DefaultEventsMap, ServerEvents, object>;
  readonly log: Pick<Logger, "error">;
  /** The chat's changes after `since`, a page at a time. Resolves to undefined when the chat no longer exists. */
  readonly fetchChanges: (chatId: string, since: number) => Promise<ChangePage | undefined>;
  readonly raiseDelivered: (chatId: string, watermarks: Readonly<Record<string, number>>) => Promise<unknown>;
  /** Called after a socket was unsubscribed because its user is no longer a member. */
  readonly onUnsubscribed: (socket: RoomSocket, left: MembershipEnd) => void;
  readonly onEmpty: (chatId: string) => void;
}

/** Batches kept while the room is busy. Beyond that they are dropped and their changes fetched. */
const maxPendingBatches = 500;

export class Room {
  readonly chatId: string;
  private readonly context: RoomContext;
  private readonly subscribers: Subscribers;
  private readonly typingIndicators: TypingIndicators;
  private readonly receipts: DeliveryReceipts;
  private readonly chatUpdates: ChatUpdates;
  private position: SequencePosition | undefined;
  /** Sockets whose subscription is queued. */
  private readonly subscribing = new Map<RoomSocket, RoomSubscriber>();
  private readonly tasks: SerialTasks;
  private lazyRepair: RoomRepair | undefined;
  private pendingBatches: Batch[] = [];
  /** Answers in progress whose sockets are about to subscribe. */
  private retainCount = 0;
  private isClosed = false;
  /** The room's `seq` when `unreportedPosition` was last called. */
  private reportedSeq = 0;

  constructor(chatId: string, context: RoomContext) {
    this.chatId = chatId;
    this.context = context;
    this.subscribers = new Subscribers(context.io, chatId);
    this.chatUpdates = new ChatUpdates((chat, seq) => this.subscribers.emitChat(chat, seq));
    this.typingIndicators = new TypingIndicators((note) => this.subscribers.emitTyping({ chatId, ...note }));
    this.receipts = new DeliveryReceipts({
      emit: (receipt) => this.subscribers.emitReceipt({ chatId, ...receipt }),
      raiseDelivered: (watermarks) => context.raiseDelivered(chatId, watermarks),
    });
    this.tasks = new SerialTasks({
      log: context.log,
      beforeEach: () => this.applyPendingBatches(),
      onIdle: () => this.closeIfUnused(),
    });
  }

  /** Created on first use: most rooms never lack changes, and a gateway has many rooms. */
  private get repair(): RoomRepair {
    return (this.lazyRepair ??= new RoomRepair({
      fetchChanges: (since) => this.context.fetchChanges(this.chatId, since),
      position: () => this.position,
      deliver: (page, run, isLastPage) => this.deliver(page, run, isLastPage),
      enqueue: (task) => this.tasks.run(task),
      onChatGone: () => this.end(),
      isClosed: () => this.isClosed,
    }));
  }

  private get seq(): number {
    return this.position?.seq ?? 0;
  }

  /** Sets the room's first position. Read the head after subscribing to the chat's channel, or changes between the two are missed. */
  begin({ seq, n, memberCount }: ChatHead): void {
    if (this.position === undefined) {
      this.position = { seq, n };
      this.receipts.memberCount = memberCount;
      this.reportedSeq = seq;
    }
    this.tasks.start();
  }

  /** Whether a socket is subscribed or about to be. If so, it receives its user's removal in the chat's sequence. */
  has(socket: RoomSocket): boolean {
    return this.subscribers.get(socket) !== undefined || this.subscribing.has(socket);
  }

  /** Keeps the room open while an answer is in progress whose socket will subscribe. @returns releases the room; call it once */
  retain(): () => void {
    this.retainCount++;
    return () => {
      this.retainCount--;
      this.closeIfUnused();
    };
  }

  /** Handles a note from the chat's channel. A batch that follows the last one is emitted immediately. */
  onNote(note: ChatNote): void {
    if (this.isClosed) return;
    if (note.kind === "typing") this.typingIndicators.update(note);
    else if (note.kind === "receipts") for (const receipt of note.receipts) this.receipts.update(receipt);
    else if ((note.kind as string) !== "batch") countUnknown("chat");
    else if (!this.tasks.isBusy) this.applyBatch(note);
    else if (this.pendingBatches.push(note) > maxPendingBatches) {
      this.pendingBatches = [];
      this.fetchUpTo(note.seq, "backlog");
    }
  }

  /** Fetches the changes up to `seq`, which the chat has reached, unless the feed brings them first. */
  fetchUpTo(seq: number, cause: RepairCause): void {
    if (seq > this.seq) this.repair.fetchUpTo(seq, cause);
  }

  /**
   * Subscribes a socket that has seen everything up to `from`. It gets the changes after that, then all new ones.
   * @param known  the members' receipts in the answer that the socket got
   */
  subscribe(socket: RoomSocket, { userId, joinedN, joinedSeq }: Membership, from: SequencePosition, known: readonly Receipt[] = []): void {
    if ((this.subscribers.get(socket)?.joinedSeq ?? 0) >= joinedSeq) return;
    const subscriber = { userId, joinedN, joinedSeq };
    this.subscribers.remove(socket);
    this.subscribing.set(socket, subscriber);
    this.tasks.run(async () => {
      try {
        await this.addSubscriber(socket, subscriber, from, known);
      } finally {
        if (this.subscribing.get(socket) === subscriber) this.subscribing.delete(socket);
      }
    });
  }

  unsubscribe(socket: RoomSocket): void {
    this.subscribing.delete(socket);
    if (this.subscribers.remove(socket)) this.closeIfUnused();
  }

  /** @returns the room's position and the sockets that have reached it; undefined if it has not changed since the last call */
  unreportedPosition(): { readonly seq: number; readonly sockets: readonly RoomSocket[] } | undefined {
    const { seq } = this;
    if (seq === this.reportedSeq) return undefined;
    this.reportedSeq = seq;
    return { seq, sockets: this.subscribers.atPosition };
  }

  /** Unsubscribes all sockets and closes the room, because the chat no longer exists. */
  end(): void {
    const sockets = new Set([...this.subscribing.keys(), ...this.subscribers.all]);
    this.subscribing.clear();
    for (const socket of sockets) {
      this.subscribers.remove(socket);
      this.context.onUnsubscribed(socket, { chatId: this.chatId, leftSeq: Number.MAX_SAFE_INTEGER });
    }
    if (this.close()) this.context.onEmpty(this.chatId);
  }

  /** Drops the waiting tasks and stops the timers. @returns whether the room was open */
  close(): boolean {
    if (this.isClosed) return false;
    this.isClosed = true;
    this.tasks.clear();
    this.pendingBatches = [];
    this.typingIndicators.close();
    this.receipts.close();
    this.chatUpdates.close();
    return true;
  }

  private closeIfUnused(): void {
    if (this.subscribers.size > 0 || this.retainCount > 0 || !this.tasks.isIdle) return;
    if (this.close()) this.context.onEmpty(this.chatId);
  }

  private async addSubscriber(
    socket: RoomSocket,
    subscriber: RoomSubscriber,
    from: SequencePosition,
    known: readonly Receipt[],
  ): Promise<void> {
    const isWanted = () => this.subscribing.get(socket) === subscriber && socket.connected;
    if (!isWanted()) return;
    const context = { fetch: (since: number) => this.repair.fetch(since), isWanted, seq: () => this.seq, pause };
    const position = from.seq < this.seq ? await catchUp(socket, subscriber, from, context) : from;
    if (position === undefined) return;
    if ("leftSeq" in position) {
      this.context.onUnsubscribed(socket, { chatId: this.chatId, leftSeq: position.leftSeq });
      return;
    }
    this.subscribers.add(socket, subscriber, position, this.seq);
    this.fetchUpTo(position.seq, "ahead");
    // Receipts have no position in the sequence, so catching up does not bring those emitted after the socket's answer.
    for (const receipt of this.receipts.addSocket(subscriber.userId, position.n, known))
      socket.emit("receipt", { chatId: this.chatId, ...receipt });
  }

  private applyPendingBatches(): void {
    for (const batch of this.pendingBatches.splice(0)) this.applyBatch(batch);
  }

  private applyBatch(batch: Batch): void {
    if (batch.seq <= this.seq) return;
    if (batch.prevSeq > this.seq) this.fetchUpTo(batch.seq, "gap");
    else this.deliver(batch, new ChangeRun(this.position!));
  }

  /** Emits a batch and moves the room to its end. @param isLastPage  false if the run's next page follows */
  private deliver(batch: Batch, run: ChangeRun, isLastPage = true): void {
    for (const membership of batch.memberChanges) this.unsubscribeEnded(membership, 0);
    const leaving = batch.memberChanges.filter(({ leftSeq }) => leftSeq !== null).sort((a, b) => a.leftSeq! - b.leftSeq!);
    for (const change of batch.changes) {
      if (change.seq <= this.seq) continue;
      while (leaving.length > 0 && leaving[0]!.leftSeq! <= change.seq) this.unsubscribeEnded(leaving.shift()!, change.seq);
      const event = run.eventFor(change);
      this.subscribers.emitChange(event, change);
      if (event === "receiveMessage" && change.kind !== "system") this.typingIndicators.stop(change.senderId);
    }
    for (const membership of leaving) this.unsubscribeEnded(membership, batch.seq);
    run.record(batch);
    this.receipts.memberCount = batch.memberCount;
    // `batch.n` is the count at the head, which only the last page reaches. Sockets ahead of the room also merge only then,
    // because a message that is new to the room may not be new to them.
    this.position = { seq: batch.seq, n: isLastPage ? batch.n : run.from.n };
    if (isLastPage) this.finishRun(run);
    this.closeIfUnused();
  }

  private finishRun({ chatUpdate, senders }: ChangeRun): void {
    const { seq, n } = this.position!;
    if (chatUpdate !== undefined) this.chatUpdates.publish(chatUpdate);
    this.subscribers.mergeAhead(seq);
    if (senders.size > 0 && this.receipts.tracksDelivery) this.receipts.recordDelivered(this.subscribers.userIdsAtPosition, n, senders);
  }

  /** Unsubscribes the user's sockets if their membership ended at `seq` or before. */
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
