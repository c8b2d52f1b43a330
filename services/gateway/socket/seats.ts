/** Who sits in a chat's room, each from a place in its sequence on, and how they are spoken to: all at once, but for a few. */
import type { DefaultEventsMap, Server, Socket } from "socket.io";
import type { Message, SharedChat } from "../../chat/contract.ts";
import type { Emitted, ServerEvents } from "./emitted.ts";
import { Run, type Place, type Seat } from "./run.ts";

export type Listener = Socket<DefaultEventsMap, ServerEvents, object>;

export class Seats {
  private readonly io: Server<DefaultEventsMap, ServerEvents, object>;
  /** Of the Socket.IO room. */
  private readonly name: string;
  private readonly seats = new Map<Listener, Seat>();
  /** Sockets that are further than the room, and their runs from there: what is said to the room passes them over until it has caught up. */
  private readonly ahead = new Map<Listener, Run>();
  /** No seat joined after this message. */
  private lastJoinedN = 0;

  constructor(io: Server<DefaultEventsMap, ServerEvents, object>, chatId: string) {
    this.io = io;
    this.name = `chat:${chatId}`;
  }

  get size(): number {
    return this.seats.size;
  }
  get(socket: Listener): Seat | undefined {
    return this.seats.get(socket);
  }
  get all(): Listener[] {
    return [...this.seats.keys()];
  }
  /** Those who are where the room is. */
  get here(): Listener[] {
    return this.all.filter((socket) => !this.ahead.has(socket));
  }
  get peopleHere(): Set<string> {
    return new Set(this.here.map((socket) => this.seats.get(socket)!.userId));
  }

  /** @param seq  where the room is */
  take(socket: Listener, seat: Seat, place: Place, seq: number): void {
    this.seats.set(socket, seat);
    this.lastJoinedN = Math.max(this.lastJoinedN, seat.joinedN);
    if (place.seq > seq) this.ahead.set(socket, new Run(place));
    else void socket.join(this.name);
  }

  /** @returns whether the socket sat here */
  giveUp(socket: Listener): boolean {
    this.ahead.delete(socket);
    void socket.leave(this.name);
    return this.seats.delete(socket);
  }

  /** The room has come to `seq`, and meets those who were there before it. */
  meet(seq: number): void {
    for (const [socket, { from }] of this.ahead) {
      if (from.seq > seq) continue;
      this.ahead.delete(socket);
      void socket.join(this.name);
    }
  }

  /** To each who has not seen this change yet, and was a member when its message was sent. */
  emitChange(event: "receiveMessage" | "messageChanged", change: Message): void {
    const isForAll = change.n > this.lastJoinedN;
    this.room(isForAll ? [] : this.idsOf(({ joinedN }) => change.n <= joinedN)).emit(event, change);
    for (const [socket, run] of this.ahead) {
      if (change.seq > run.from.seq && change.n > this.seats.get(socket)!.joinedN) socket.emit(run.eventFor(change), change);
    }
  }

  /** How all see the chat since `seq`, to each who was told of it as it was before. */
  emitChat(chat: SharedChat, seq: number): void {
    this.room(this.idsOf(({ joinedSeq }) => joinedSeq >= seq)).emit("chatChanged", chat);
    for (const [socket, { from }] of this.ahead) if (!hasSeen(seq, this.seats.get(socket)!, from)) socket.emit("chatChanged", chat);
  }

  emitReceipt(receipt: Emitted["receipt"]): void {
    this.room([]).emit("receipt", receipt);
    for (const socket of this.ahead.keys()) socket.emit("receipt", receipt);
  }

  /** To all but the typist. */
  emitTyping(typing: Emitted["typing"]): void {
    this.room(this.idsOf(({ userId }) => userId === typing.userId)).emit("typing", typing);
    for (const socket of this.ahead.keys()) if (this.seats.get(socket)!.userId !== typing.userId) socket.emit("typing", typing);
  }

  private room(exceptIds: string[]) {
    const room = this.io.to(this.name);
    return exceptIds.length === 0 ? room : room.except(exceptIds);
  }

  private idsOf(isExcepted: (seat: Seat) => boolean): string[] {
    return [...this.seats].flatMap(([{ id }, seat]) => (isExcepted(seat) ? [id] : []));
  }
}

/** Who joins is told how the chat is then, in a note of its own. */
export const hasSeen = (seq: number, { joinedSeq }: Seat, place: Place): boolean => seq <= Math.max(joinedSeq, place.seq);
