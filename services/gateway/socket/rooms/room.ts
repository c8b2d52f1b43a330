/**
 * One chat as this gateway's sockets hear it. The room keeps the position of the last head it emitted, drops what is older, fetches
 * what is missing, and emits in `seq` order, change by change, to those whose membership allows it. Everything that waits runs
 * one after the other; what is heard meanwhile is held. Receipts and typing have no place in the sequence, and pass at once.
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
  /** The chat's changes after `since`, a page at a time; undefined when the chat is no more. */
  readonly fetchChanges: (chatId: string, since: number) => Promise<ChangePage | undefined>;
  readonly raiseDelivered: (chatId: string, watermarks: Readonly<Record<string, number>>) => Promise<unknown>;
  /** The socket's person is a member no more, and the socket was put out. */
  readonly onUnsubscribed: (socket: RoomSocket, left: MembershipEnd) => void;
  readonly onEmpty: (chatId: string) => void;
}

/** Batches held while the room waits; more are fetched instead. */
const maxPendingBatches = 500;

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
  private readonly tasks: SerialTasks;
  private readonly repair: RoomRepair;
  private pendingBatches: Batch[] = [];
  /** Answers under way whose sockets will be seated. */
  private retainCount = 0;
  private isClosed = false;
  /** Where the room was when `unreportedPosition` was last called. */
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
    this.repair = new RoomRepair({
      fetchChanges: (since) => context.fetchChanges(chatId, since),
      position: () => this.position,
      deliver: (page, run, isLastPage) => this.deliver(page, run, isLastPage),
      enqueue: (task) => this.tasks.run(task),
      onChatGone: () => this.end(),
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
    this.tasks.start();
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
    else if (!this.tasks.isBusy) this.applyBatch(note);
    else if (this.pendingBatches.push(note) > maxPendingBatches) {
      this.pendingBatches = [];
      this.fetchUpTo(note.seq, "backlog");
    }
  }

  /** The head is known to be here: fetch what is missing, unless it was heard meanwhile. */
  fetchUpTo(seq: number, cause: RepairCause): void {
    this.repair.fetchUpTo(seq, cause);
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
    this.tasks.run(async () => {
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
    this.tasks.clear();
    this.repair.stop();
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
    // Receipts have no place in the sequence: those between its answer and its seat it would miss.
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

  /** Emits a batch and moves on. @param isLastPage  false when the next page of the same run follows */
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
