/**
 * How far the chats are that moved, told now and then: a client compares it with what it heard, and syncs if it is behind. So even
 * what nobody foresaw heals.
 */
import type { UserSocket } from "../socket-state.ts";
import type { Room } from "../rooms/room.ts";

const everyMs = 25_000;

/** Tells subscribed sockets of the chats they sit in that moved since the last time. */
export function emitPositions(rooms: readonly Pick<Room, "chatId" | "unreportedPosition">[]): void {
  const positions = new Map<UserSocket, Record<string, number>>();
  for (const room of rooms) {
    const unreported = room.unreportedPosition();
    if (unreported === undefined) continue;
    for (const socket of unreported.sockets as readonly UserSocket[]) {
      if (!socket.data.isSubscribed) continue;
      const seqByChat = positions.get(socket) ?? {};
      seqByChat[room.chatId] = unreported.seq;
      positions.set(socket, seqByChat);
    }
  }
  for (const [socket, seqByChat] of positions) socket.emit("positions", seqByChat);
}

/** @returns stops it */
export function startEmittingPositions(rooms: () => readonly Room[]): () => void {
  const timer = setInterval(() => emitPositions(rooms()), everyMs);
  return () => clearInterval(timer);
}
