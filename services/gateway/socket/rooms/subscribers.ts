/**
 * Keeps a room's subscribers and emits to them: one broadcast for the sockets at the room's position, single emits for the few ahead
 * of it.
 */
import type { DefaultEventsMap, Server, Socket } from "socket.io";
import type { Message, SharedChat } from "../../../chat/contract.ts";
import type { ServerEventPayloads, ServerEvents } from "../server-events.ts";
import { ChangeRun, type SequencePosition, type RoomSubscriber } from "./change-run.ts";

export type RoomSocket = Socket<DefaultEventsMap, ServerEvents, object>;

export class Subscribers {
  private readonly io: Server<DefaultEventsMap, ServerEvents, object>;
  /** Name of the Socket.IO room. */
  private readonly roomName: string;
  private readonly bySocket = new Map<RoomSocket, RoomSubscriber>();
  /** Sockets ahead of the room, with their runs from there. They join the Socket.IO room once the room has caught up. */
  private readonly ahead = new Map<RoomSocket, ChangeRun>();
  /** The highest `joinedN` so far: later messages are for every subscriber. */
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
  /** Sockets at the room's position. */
  get atPosition(): RoomSocket[] {
    return this.all.filter((socket) => !this.ahead.has(socket));
  }
  get userIdsAtPosition(): Set<string> {
    return new Set(this.atPosition.map((socket) => this.bySocket.get(socket)!.userId));
  }

  /** @param seq  the room's position */
  add(socket: RoomSocket, subscriber: RoomSubscriber, position: SequencePosition, seq: number): void {
    this.bySocket.set(socket, subscriber);
    this.lastJoinedN = Math.max(this.lastJoinedN, subscriber.joinedN);
    if (position.seq > seq) this.ahead.set(socket, new ChangeRun(position));
    else void socket.join(this.roomName);
  }

  /** @returns whether the socket was subscribed */
  remove(socket: RoomSocket): boolean {
    this.ahead.delete(socket);
    void socket.leave(this.roomName);
    return this.bySocket.delete(socket);
  }

  /** Adds the sockets that the room has caught up with to the broadcast. @param seq  the room's position */
  mergeAhead(seq: number): void {
    for (const [socket, { from }] of this.ahead) {
      if (from.seq > seq) continue;
      this.ahead.delete(socket);
      void socket.join(this.roomName);
    }
  }

  /** Emits to every socket that has not seen this change and whose user was a member when the message was sent. */
  emitChange(event: "receiveMessage" | "messageChanged", change: Message): void {
    const isForAll = change.n > this.lastJoinedN;
    this.broadcastExcept(isForAll ? [] : this.socketIdsWhere(({ joinedN }) => change.n <= joinedN)).emit(event, change);
    for (const [socket, run] of this.ahead) {
      if (change.seq > run.from.seq && change.n > this.bySocket.get(socket)!.joinedN) socket.emit(run.eventFor(change), change);
    }
  }

  /** Emits the shared view of the chat, which dates from `seq`, to every socket that has not seen it. */
  emitChat(chat: SharedChat, seq: number): void {
    this.broadcastExcept(this.socketIdsWhere(({ joinedSeq }) => joinedSeq >= seq)).emit("chatChanged", chat);
    for (const [socket, { from }] of this.ahead) if (!hasSeen(seq, this.bySocket.get(socket)!, from)) socket.emit("chatChanged", chat);
  }

  emitReceipt(receipt: ServerEventPayloads["receipt"]): void {
    this.broadcastExcept([]).emit("receipt", receipt);
    for (const socket of this.ahead.keys()) socket.emit("receipt", receipt);
  }

  /** Emits to all sockets except the typist's. */
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

/** Whether a subscriber knows the chat as of `seq`. A new member gets the view of the moment they joined in a note of their own. */
export const hasSeen = (seq: number, { joinedSeq }: RoomSubscriber, position: SequencePosition): boolean =>
  seq <= Math.max(joinedSeq, position.seq);
