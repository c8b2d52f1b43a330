/**
 * How far the chats are that moved, told now and then: a client compares it with what it heard, and syncs if it is behind. So even
 * what nobody foresaw heals.
 */
import type { PersonSocket } from "./person.ts";
import type { Room } from "./room.ts";

const everyMs = 25_000;

/** Tells subscribed sockets of the chats they sit in that moved since the last time. */
export function tellPositions(rooms: readonly Pick<Room, "chatId" | "movement">[]): void {
  const positions = new Map<PersonSocket, Record<string, number>>();
  for (const room of rooms) {
    const movement = room.movement();
    if (movement === undefined) continue;
    for (const socket of movement.sockets as readonly PersonSocket[]) {
      if (!socket.data.isSubscribed) continue;
      const own = positions.get(socket) ?? {};
      own[room.chatId] = movement.seq;
      positions.set(socket, own);
    }
  }
  for (const [socket, own] of positions) socket.emit("positions", own);
}

/** @returns stops it */
export function startTellingPositions(rooms: () => readonly Room[]): () => void {
  const timer = setInterval(() => tellPositions(rooms()), everyMs);
  return () => clearInterval(timer);
}
