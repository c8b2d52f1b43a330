/**
 * One chat as this gateway's sockets hear it. The room keeps the position of the last head it emitted, drops what is older, fetches
 * what is missing, and emits in `seq` order, change by change, to those whose membership allows it. Everything that waits runs
 * one after the other; what is heard meanwhile is held. Receipts and typing have no place in the sequence, and pass at once.
 */
import type { Logger } from "moleculer";
import type { DefaultEventsMap, Server } from "socket.io";
import { counter } from "../../../core/metrics/declare.ts";
import type { Batch, ChatNote, ChatHead, Membership, Receipt } from "../../chat/contract.ts";
import { catchUp, type Page } from "./catch-up.ts";
import type { ServerEvents } from "./emitted.ts";
import { countUnknown } from "./unknown-notes.ts";
import { Marks } from "./marks.ts";
import { endOf, Run, type Place, type Seat } from "./run.ts";
import { Seats, type Listener } from "./seats.ts";
import type { Left } from "./told.ts";
import { Showing } from "./showing.ts";
import { Typing } from "./typing.ts";

export interface RoomParts {
  readonly io: Server<DefaultEventsMap, ServerEvents, object>;
  readonly log: Pick<Logger, "error">;
  /** The chat's changes after `since`, a page at a time; undefined when the chat is no more. */
  readonly fetchChanges: (chatId: string, since: number) => Promise<Page | undefined>;
  readonly raiseDelivered: (chatId: string, marks: Readonly<Record<string, number>>) => Promise<unknown>;
  /** The socket's person is a member no more, and the socket was put out. */
  readonly onPutOut: (socket: Listener, left: Left) => void;
  readonly onEmpty: (chatId: string) => void;
}

/** A failed fetch is repeated after this, for a room must not stay behind. */
const retryMs = 500;
/** Batches held while the room waits; more are fetched instead. */
const mostHeard = 500;

/**
 * How a room found that it lacked changes: a batch that did not follow the last one (`gap`), the poll for missed changes (`poll`), more
 * batches while it was busy than it holds (`backlog`), or a socket or someone's note that was further than the room (`ahead`).
 */
export type Cause = "gap" | "poll" | "backlog" | "ahead";
const repairs = counter(
  "parley_feed_repairs_total",
  "Rooms that fetched changes from the store which the feed had not brought, by how they noticed",
  ["cause"],
);
for (const cause of ["gap", "poll", "backlog", "ahead"] satisfies Cause[]) repairs.of().inc({ cause }, 0);

export class Room {
  readonly chatId: string;
  private readonly parts: RoomParts;
  private readonly seats: Seats;
  private readonly typing: Typing;
  private readonly marks: Marks;
  private readonly showing: Showing;
  private place: Place | undefined;
  /** Sockets whose seating is queued, with the seat they shall have. */
  private readonly coming = new Map<Listener, Seat>();
  private tasks: (() => Promise<void>)[] = [];
  private heard: Batch[] = [];
  /** The head is known to be here. */
  private target = 0;
  private isRepairing = false;
  /** Answers under way whose sockets will be seated. */
  private holds = 0;
  private isBusy = false;
  private isClosed = false;
  /** Where the room was when `movement` was last asked for. */
  private lookedAt = 0;

  constructor(chatId: string, parts: RoomParts) {
    this.chatId = chatId;
    this.parts = parts;
    this.seats = new Seats(parts.io, chatId);
    this.showing = new Showing((chat, seq) => this.seats.emitChat(chat, seq));
    this.typing = new Typing((note) => this.seats.emitTyping({ chatId, ...note }));
    this.marks = new Marks({
      tell: (receipt) => this.seats.emitReceipt({ chatId, ...receipt }),
      raiseDelivered: (marks) => parts.raiseDelivered(chatId, marks),
    });
  }

  private get seq(): number {
    return this.place?.seq ?? 0;
  }

  /** Sets where the room begins: a head read after its channel was listened to. */
  begin({ seq, n, memberCount }: ChatHead): void {
    if (this.place === undefined) {
      this.place = { seq, n };
      this.marks.memberCount = memberCount;
      this.lookedAt = seq;
    }
    void this.work();
  }

  /** Whether a socket sits here or is about to: then it hears in the chat's sequence that its person was removed. */
  has(socket: Listener): boolean {
    return this.seats.get(socket) !== undefined || this.coming.has(socket);
  }

  /** Keeps the room while an answer is under way that its sockets wait for. @returns the release, to be called once */
  hold(): () => void {
    this.holds++;
    return () => {
      this.holds--;
      this.closeIfUnused();
    };
  }

  /** A note from the chat's channel. A batch is emitted at once when it follows what was emitted last. */
  hear(note: ChatNote): void {
    if (this.isClosed) return;
    if (note.kind === "typing") this.typing.hear(note);
    else if (note.kind === "receipts") for (const receipt of note.receipts) this.marks.hear(receipt);
    else if ((note.kind as string) !== "batch") countUnknown("chat");
    else if (!this.isBusy && this.place !== undefined) this.take(note);
    else if (this.heard.push(note) > mostHeard) {
      this.heard = [];
      this.reach(note.seq, "backlog");
    }
  }

  /** The head is known to be here: fetch what is missing, unless it was heard meanwhile. */
  reach(seq: number, cause: Cause): void {
    if (seq <= this.seq) return;
    this.target = Math.max(this.target, seq);
    if (this.isRepairing) return;
    this.isRepairing = true;
    this.queue(() => this.repair(cause));
  }

  /**
   * Seats a socket that has seen everything up to `from`; it gets what came after, then all that comes.
   * @param known  the members' marks as it was told them
   */
  attach(socket: Listener, { userId, joinedN, joinedSeq }: Membership, from: Place, known: readonly Receipt[] = []): void {
    if ((this.seats.get(socket)?.joinedSeq ?? 0) >= joinedSeq) return;
    const seat = { userId, joinedN, joinedSeq };
    this.seats.giveUp(socket);
    this.coming.set(socket, seat);
    this.queue(async () => {
      try {
        await this.seat(socket, seat, from, known);
      } finally {
        if (this.coming.get(socket) === seat) this.coming.delete(socket);
      }
    });
  }

  /** Puts a socket out. */
  detach(socket: Listener): void {
    this.coming.delete(socket);
    if (this.seats.giveUp(socket)) this.closeIfUnused();
  }

  /** @returns where the room is and who sits there, if it moved since this was asked last */
  movement(): { readonly seq: number; readonly sockets: readonly Listener[] } | undefined {
    const { seq } = this;
    if (seq === this.lookedAt) return undefined;
    this.lookedAt = seq;
    return { seq, sockets: this.seats.here };
  }

  /** The chat is no more: nobody has any business here. */
  end(): void {
    const sockets = new Set([...this.coming.keys(), ...this.seats.all]);
    this.coming.clear();
    for (const socket of sockets) {
      this.seats.giveUp(socket);
      this.parts.onPutOut(socket, { chatId: this.chatId, leftSeq: Number.MAX_SAFE_INTEGER });
    }
    if (this.close()) this.parts.onEmpty(this.chatId);
  }

  /** Stops what the room has under way. @returns whether it was open */
  close(): boolean {
    if (this.isClosed) return false;
    this.isClosed = true;
    this.tasks = [];
    this.heard = [];
    this.typing.close();
    this.marks.close();
    this.showing.close();
    return true;
  }

  private closeIfUnused(): void {
    if (this.seats.size > 0 || this.holds > 0 || this.isBusy || this.tasks.length > 0) return;
    if (this.close()) this.parts.onEmpty(this.chatId);
  }

  private queue(task: () => Promise<void>): void {
    this.tasks.push(task);
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.isBusy || this.place === undefined) return;
    this.isBusy = true;
    while (this.tasks.length > 0 || this.heard.length > 0) {
      try {
        for (const batch of this.heard.splice(0)) this.take(batch);
        await this.tasks.shift()?.();
      } catch (error) {
        this.parts.log.error(error); // one task's failure must not stop the room
      }
    }
    this.isBusy = false;
    this.closeIfUnused();
  }

  private async seat(socket: Listener, seat: Seat, from: Place, known: readonly Receipt[]): Promise<void> {
    const isWanted = () => this.coming.get(socket) === seat && socket.connected;
    if (!isWanted()) return;
    const parts = { fetch: (since: number) => this.fetch(since), isWanted, seq: () => this.seq, pause };
    const place = from.seq < this.seq ? await catchUp(socket, seat, from, parts) : from;
    if (place === undefined) return;
    if ("leftSeq" in place) {
      this.parts.onPutOut(socket, { chatId: this.chatId, leftSeq: place.leftSeq });
      return;
    }
    this.seats.take(socket, seat, place, this.seq);
    this.reach(place.seq, "ahead");
    // Receipts have no place in the sequence: those between its answer and its seat it would miss.
    for (const receipt of this.marks.seat(seat.userId, place.n, known)) socket.emit("receipt", { chatId: this.chatId, ...receipt });
  }

  private take(batch: Batch): void {
    if (batch.seq <= this.seq) return;
    if (batch.prevSeq > this.seq) this.reach(batch.seq, "gap");
    else this.deliver(batch, new Run(this.place!));
  }

  /** Fetches until the room has reached the target; less than was announced is asked for again, never passed over. */
  private async repair(cause: Cause): Promise<void> {
    const run = new Run(this.place!);
    if (this.seq < this.target) repairs.of().inc({ cause });
    try {
      for (let isWhole = this.seq >= this.target; !isWhole;) {
        const page = await this.fetch(this.seq);
        if (page === undefined) return;
        if (page.seq > this.seq) this.deliver(page, run, !page.more);
        else await pause();
        isWhole = !page.more && this.seq >= this.target;
      }
    } finally {
      this.isRepairing = false;
    }
  }

  private async fetch(since: number): Promise<Page | undefined> {
    while (!this.isClosed) {
      try {
        const page = await this.parts.fetchChanges(this.chatId, since);
        if (page === undefined) this.end();
        return page;
      } catch {
        await pause(); // the services or their store are away; the room waits for them
      }
    }
    return undefined;
  }

  /** Emits a batch and moves on. @param isWhole  false when the next page of the same run follows */
  private deliver(batch: Batch, run: Run, isWhole = true): void {
    for (const membership of batch.memberChanges) this.putOut(membership, 0);
    const leaving = batch.memberChanges.filter(({ leftSeq }) => leftSeq !== null).sort((a, b) => a.leftSeq! - b.leftSeq!);
    for (const change of batch.changedMessages) {
      if (change.seq <= this.seq) continue;
      while (leaving.length > 0 && leaving[0]!.leftSeq! <= change.seq) this.putOut(leaving.shift()!, change.seq);
      const event = run.eventFor(change);
      this.seats.emitChange(event, change);
      if (event === "receiveMessage" && change.kind !== "system") this.typing.stop(change.senderId);
    }
    for (const membership of leaving) this.putOut(membership, batch.seq);
    run.pass(batch);
    this.marks.memberCount = batch.memberCount;
    // The count of messages is the head's, and what is new to the room is not to those further: both hold at the end only.
    this.place = { seq: batch.seq, n: isWhole ? batch.n : run.from.n };
    if (isWhole) this.arrive(run);
    this.closeIfUnused();
  }

  /** At the end of a run. */
  private arrive({ shared, senders }: Run): void {
    const { seq, n } = this.place!;
    if (shared !== undefined) this.showing.show(shared);
    this.seats.meet(seq);
    if (senders.size > 0 && this.marks.isDeliveryMarked) this.marks.hand(this.seats.peopleHere, n, senders);
  }

  /** Puts a person's sockets out whose membership ended by this change. */
  private putOut(membership: Membership, seq: number): void {
    const { userId, leftSeq } = membership;
    if (leftSeq !== null && leftSeq <= seq) {
      this.typing.stop(userId);
      this.marks.forget(userId);
    }
    for (const socket of this.seats.all) {
      const end = endOf(this.seats.get(socket)!, membership);
      if (end === undefined || end.at > seq) continue;
      this.seats.giveUp(socket);
      this.parts.onPutOut(socket, { chatId: this.chatId, leftSeq: end.leftSeq });
    }
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, retryMs));
