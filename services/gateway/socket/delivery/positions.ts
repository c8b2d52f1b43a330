/**
 * Emits the positions of chats that changed, every 25 s. A client compares them with what it has received, and syncs if it is behind,
 * so that even unforeseen losses are repaired.
 */
import type { UserSocket } from "../socket-state.ts";
import type { Room } from "../rooms/room.ts";

const defaultIntervalMs = 25_000;

/** Emits to each subscribed socket the positions of its chats that changed since the last call. */
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

/** @returns stops emitting */
export function startEmittingPositions(rooms: () => readonly Room[], intervalMs = defaultIntervalMs): () => void {
  const timer = setInterval(() => emitPositions(rooms()), intervalMs);
  return () => clearInterval(timer);
}
