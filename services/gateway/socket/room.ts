/**
 * One chat as this gateway's sockets hear it. The room keeps the position of the last head it emitted, drops what is older, fetches
 * what is missing, and emits in `seq` order, change by change, to those whose membership allows it. Everything that waits runs
 * one after the other; what is heard meanwhile is held.
 */
import type { Logger } from "moleculer";
import type { Server, Socket } from "socket.io";
import type { Batch, Head, Membership, Message } from "../../chat/contract.ts";

/** Where someone is in a chat's sequence: the last change seen, and the messages there were then. */
export interface Place {
  readonly seq: number;
  readonly n: number;
}

/** A socket in the room. */
type Seat = Pick<Membership, "userId" | "joinedN" | "joinedSeq">;

export interface RoomParts {
  readonly io: Server;
  readonly log: Pick<Logger, "error">;
  /** The chat's changes after `since`, a page at a time; undefined when the chat is no more. */
  readonly fetchChanges: (chatId: string, since: number) => Promise<(Batch & { more: boolean }) | undefined>;
  /** A person became a member: their subscribed sockets here shall hear the chat. */
  readonly onJoined: (membership: Membership) => void;
  readonly onEmpty: (chatId: string) => void;
}

const prefix = "chat:";
/** The chat whose Socket.IO room this is. */
export const chatOf = (name: string): string | undefined => (name.startsWith(prefix) ? name.slice(prefix.length) : undefined);

/** A failed fetch is repeated after this, for a room must not stay behind. */
const retryMs = 500;

export class Room {
  readonly chatId: string;
  private readonly parts: RoomParts;
  private readonly name: string;
  private place: Place | undefined;
  private readonly seats = new Map<Socket, Seat>();
  /** Sockets whose seating is queued. */
  private readonly coming = new Set<Socket>();
  /** Sockets that are further than the room; the room's own emission passes them over until it has caught up. */
  private readonly ahead = new Map<Socket, Place>();
  /** No seat joined after this message. */
  private lastJoinedN = 0;
  private tasks: (() => Promise<void>)[] = [];
  private heard: Batch[] = [];
  /** Answers under way whose sockets will be seated. */
  private holds = 0;
  private isBusy = false;
  private isClosed = false;

  constructor(chatId: string, parts: RoomParts) {
    this.chatId = chatId;
    this.parts = parts;
    this.name = prefix + chatId;
  }

  get seq(): number {
    return this.place?.seq ?? 0;
  }
  get isOpen(): boolean {
    return this.place !== undefined;
  }

  /** Sets where the room begins: a head read after its channel was listened to. */
  begin({ seq, n }: Head): void {
    this.place ??= { seq, n };
    void this.work();
  }

  has(socket: Socket): boolean {
    return this.seats.has(socket);
  }

  /** Keeps the room while an answer is under way that its sockets wait for. @returns the release, to be called once */
  hold(): () => void {
    this.holds++;
    return () => {
      this.holds--;
      this.closeIfUnused();
    };
  }

  /** A batch from the feed. Emitted at once when it follows what was emitted last. */
  hear(batch: Batch): void {
    if (this.isBusy || this.place === undefined) this.heard.push(batch);
    else this.take(batch);
  }

  /** The head is known to be here: fetch what is missing, unless it was heard meanwhile. */
  reach(seq: number): void {
    if (seq > this.seq) this.queue(() => this.repair(seq));
  }

  /** Seats a socket that has seen everything up to `from`; it gets what came after, then all that comes. */
  attach(socket: Socket, seat: Seat, from: Place): void {
    this.coming.add(socket);
    this.queue(async () => {
      try {
        await this.seat(socket, seat, from);
      } finally {
        this.coming.delete(socket);
      }
    });
  }

  private async seat(socket: Socket, seat: Seat, from: Place): Promise<void> {
    const isWanted = () => this.coming.has(socket) && socket.connected;
    if (this.seats.has(socket) || !isWanted()) return;
    const place = from.seq < this.seq ? await this.catchUp(socket, seat, from) : from;
    if (place === undefined || !isWanted()) return;
    this.seats.set(socket, seat);
    this.lastJoinedN = Math.max(this.lastJoinedN, seat.joinedN);
    if (place.seq <= this.seq) await socket.join(this.name);
    else {
      this.ahead.set(socket, place);
      this.reach(place.seq);
    }
  }

  /** Puts a socket out. */
  detach(socket: Socket): void {
    this.coming.delete(socket);
    if (!this.seats.delete(socket)) return;
    this.ahead.delete(socket);
    void socket.leave(this.name);
    this.closeIfUnused();
  }

  /** Closes the room when nobody sits in it or waits for it. */
  private closeIfUnused(): void {
    if (this.seats.size > 0 || this.holds > 0 || this.isBusy || this.tasks.length > 0 || this.isClosed) return;
    this.isClosed = true;
    this.parts.onEmpty(this.chatId);
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

  private take(batch: Batch): void {
    if (batch.seq <= this.seq) return;
    if (batch.prevSeq > this.seq) this.queue(() => this.repair(batch.seq));
    else this.deliver(batch, this.place!.n, new Set());
  }

  /** Fetches until the room has reached `target`; less than was announced is asked for again, never passed over. */
  private async repair(target: number): Promise<void> {
    const known = this.place!.n;
    const delivered = new Set<number>();
    while (this.seq < target && !this.isClosed) {
      const batch = await this.fetch(this.seq);
      if (batch === undefined) return;
      if (batch.seq <= this.seq) await pause();
      // The count of messages is the head's: right only at the end of the repair.
      else this.deliver(batch.more ? { ...batch, n: known } : batch, known, delivered);
    }
  }

  /** Brings one socket from where it is to the head. @returns where it is then; undefined when it has no business here any more */
  private async catchUp(socket: Socket, seat: Seat, from: Place): Promise<Place | undefined> {
    const delivered = new Set<number>();
    let { seq } = from;
    for (;;) {
      const batch = await this.fetch(seq);
      if (batch === undefined || !socket.connected) return undefined;
      const left = batch.memberChanges.find(({ userId, leftSeq }) => userId === seat.userId && leftSeq !== null);
      for (const change of batch.changes) {
        if (change.n > seat.joinedN && change.seq < (left?.leftSeq ?? Infinity)) socket.emit(eventFor(change, from.n, delivered), change);
      }
      if (left !== undefined) {
        socket.emit("chatRemoved", { chatId: this.chatId });
        return undefined;
      }
      seq = batch.seq;
      if (!batch.more) return { seq, n: batch.n };
    }
  }

  private async fetch(since: number): Promise<(Batch & { more: boolean }) | undefined> {
    while (!this.isClosed) {
      try {
        return await this.parts.fetchChanges(this.chatId, since);
      } catch {
        await pause(); // the services or their store are away; the room waits for them
      }
    }
    return undefined;
  }

  /**
   * Emits a run of changes and moves on.
   * @param known      messages the room had before: those above are new to its sockets
   * @param delivered  ordinals this repair has emitted as new
   */
  private deliver(batch: Batch, known: number, delivered: Set<number>): void {
    const leaving = batch.memberChanges.filter(({ leftSeq }) => leftSeq !== null);
    const joining = batch.memberChanges.filter(({ leftSeq }) => leftSeq === null);
    for (const membership of joining) this.putOutBefore(membership);
    const changes = batch.changes.filter(({ seq }) => seq > this.seq);
    for (const change of changes) {
      this.putOut(leaving, change.seq);
      this.emit(change, eventFor(change, known, delivered));
    }
    this.putOut(leaving, batch.seq);
    this.place = { seq: batch.seq, n: batch.n };
    for (const [socket, place] of this.ahead) {
      if (!socket.connected) this.detach(socket);
      else if (place.seq <= batch.seq) {
        this.ahead.delete(socket);
        void socket.join(this.name);
      }
    }
    for (const membership of joining) this.parts.onJoined(membership);
  }

  private emit(change: Message, event: string): void {
    const room = this.parts.io.to(this.name);
    if (change.n > this.lastJoinedN) room.emit(event, change);
    else room.except(this.joinedAfter(change.n)).emit(event, change);
    for (const [socket, place] of this.ahead) {
      const isUnseen = change.seq > place.seq && change.n > this.seats.get(socket)!.joinedN;
      if (isUnseen) socket.emit(change.n > place.n ? "receiveMessage" : "messageChanged", change);
    }
  }

  private joinedAfter(n: number): string[] {
    return [...this.seats].flatMap(([{ id }, { joinedN }]) => (n <= joinedN ? [id] : []));
  }

  /** Those who left at or before this change hear nothing of it. */
  private putOut(leaving: readonly Membership[], seq: number): void {
    for (const { userId, leftSeq } of leaving) if (leftSeq! <= seq) this.putOutPerson(userId);
  }

  /** Removed and added again in one gap: the row shows the last joining only, and the old seat is from before it. */
  private putOutBefore({ userId, joinedSeq }: Membership): void {
    if ([...this.seats.values()].some((seat) => seat.userId === userId && seat.joinedSeq < joinedSeq)) this.putOutPerson(userId);
  }

  private putOutPerson(userId: string): void {
    for (const [socket, seat] of this.seats) {
      if (seat.userId !== userId) continue;
      this.detach(socket);
      socket.emit("chatRemoved", { chatId: this.chatId });
    }
  }
}

/** A message that was not there before is new, once; any other change is one of a message known. */
function eventFor({ n }: Message, known: number, delivered: Set<number>): "receiveMessage" | "messageChanged" {
  if (n <= known || delivered.has(n)) return "messageChanged";
  delivered.add(n);
  return "receiveMessage";
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, retryMs));
