/** Who sits in a chat's room, each from a place in its sequence on, and how they are spoken to: all at once, but for a few. */
import type { DefaultEventsMap, Server, Socket } from "socket.io";
import type { Message, SharedChat } from "../../../chat/contract.ts";
import type { ServerEventPayloads, ServerEvents } from "../server-events.ts";
import { ChangeRun, type SequencePosition, type RoomSubscriber } from "./change-run.ts";

export type RoomSocket = Socket<DefaultEventsMap, ServerEvents, object>;

export class Subscribers {
  private readonly io: Server<DefaultEventsMap, ServerEvents, object>;
  /** Of the Socket.IO room. */
  private readonly roomName: string;
  private readonly bySocket = new Map<RoomSocket, RoomSubscriber>();
  /** Sockets that are further than the room, and their runs from there: what is said to the room passes them over until it has caught up. */
  private readonly ahead = new Map<RoomSocket, ChangeRun>();
  /** No seat joined after this message. */
  private lastJoinedN = 0;

  constructor(io: Server<DefaultEventsMap, ServerEvents, object>, chatId: string) {
    this.io = io;
    this.roomName = `chat:${chatId}`;
  }

  get size(): number {
    return this.bySocket.size;
  }
  get(socket: RoomSocket): RoomSubscriber | undefined {
    return this.bySocket.get(socket);
  }
  get all(): RoomSocket[] {
    return [...this.bySocket.keys()];
  }
  /** Those who are where the room is. */
  get atPosition(): RoomSocket[] {
    return this.all.filter((socket) => !this.ahead.has(socket));
  }
  get userIdsAtPosition(): Set<string> {
    return new Set(this.atPosition.map((socket) => this.bySocket.get(socket)!.userId));
  }

  /** @param seq  where the room is */
  add(socket: RoomSocket, subscriber: RoomSubscriber, position: SequencePosition, seq: number): void {
    this.bySocket.set(socket, subscriber);
    this.lastJoinedN = Math.max(this.lastJoinedN, subscriber.joinedN);
    if (position.seq > seq) this.ahead.set(socket, new ChangeRun(position));
    else void socket.join(this.roomName);
  }

  /** @returns whether the socket sat here */
  remove(socket: RoomSocket): boolean {
    this.ahead.delete(socket);
    void socket.leave(this.roomName);
    return this.bySocket.delete(socket);
  }

  /** The room has come to `seq`, and meets those who were there before it. */
  mergeAhead(seq: number): void {
    for (const [socket, { from }] of this.ahead) {
      if (from.seq > seq) continue;
      this.ahead.delete(socket);
      void socket.join(this.roomName);
    }
  }

  /** To each who has not seen this change yet, and was a member when its message was sent. */
  emitChange(event: "receiveMessage" | "messageChanged", change: Message): void {
    const isForAll = change.n > this.lastJoinedN;
    this.broadcastExcept(isForAll ? [] : this.socketIdsWhere(({ joinedN }) => change.n <= joinedN)).emit(event, change);
    for (const [socket, run] of this.ahead) {
      if (change.seq > run.from.seq && change.n > this.bySocket.get(socket)!.joinedN) socket.emit(run.eventFor(change), change);
    }
  }

  /** How all see the chat since `seq`, to each who was told of it as it was before. */
  emitChat(chat: SharedChat, seq: number): void {
    this.broadcastExcept(this.socketIdsWhere(({ joinedSeq }) => joinedSeq >= seq)).emit("chatChanged", chat);
    for (const [socket, { from }] of this.ahead) if (!hasSeen(seq, this.bySocket.get(socket)!, from)) socket.emit("chatChanged", chat);
  }

  emitReceipt(receipt: ServerEventPayloads["receipt"]): void {
    this.broadcastExcept([]).emit("receipt", receipt);
    for (const socket of this.ahead.keys()) socket.emit("receipt", receipt);
  }

  /** To all but the typist. */
  emitTyping(typing: ServerEventPayloads["typing"]): void {
    this.broadcastExcept(this.socketIdsWhere(({ userId }) => userId === typing.userId)).emit("typing", typing);
    for (const socket of this.ahead.keys()) if (this.bySocket.get(socket)!.userId !== typing.userId) socket.emit("typing", typing);
  }

  private broadcastExcept(exceptIds: string[]) {
    const room = this.io.to(this.roomName);
    return exceptIds.length === 0 ? room : room.except(exceptIds);
  }

  private socketIdsWhere(isExcepted: (subscriber: RoomSubscriber) => boolean): string[] {
    return [...this.bySocket].flatMap(([{ id }, subscriber]) => (isExcepted(subscriber) ? [id] : []));
  }
}

/** Who joins is told how the chat is then, in a note of its own. */
export const hasSeen = (seq: number, { joinedSeq }: RoomSubscriber, position: SequencePosition): boolean =>
  seq <= Math.max(joinedSeq, position.seq);
