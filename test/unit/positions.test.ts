/** Positions: each subscribed socket is told of its chats that moved, in one event. */
import { expect, test } from "@jest/globals";
import { emitPositions } from "../../services/gateway/socket/delivery/positions.ts";
import type { RoomSocket } from "../../services/gateway/socket/rooms/subscribers.ts";

function listener(isSubscribed: boolean) {
  const told: unknown[] = [];
  const emit = (event: string, data: unknown) => told.push([event, data]);
  // eslint-disable-next-line no-restricted-syntax -- no more than this is asked of a socket
  const socket = { data: { isSubscribed }, emit } as unknown as RoomSocket;
  return { socket, told };
}

test("each subscribed socket hears of its own chats that moved, and is told nothing when none did", () => {
  const [a, b, idle, joiner] = [listener(true), listener(true), listener(true), listener(false)];
  const room = (chatId: string, seq: number | undefined, ...of: { socket: RoomSocket }[]) => ({
    chatId,
    unreportedPosition: () => (seq === undefined ? undefined : { seq, sockets: of.map(({ socket }) => socket) }),
  });
  emitPositions([room("one", 4, a, joiner), room("two", 7, a, b), room("three", undefined, a, b, idle)]);
  expect(a.told).toEqual([["positions", { one: 4, two: 7 }]]);
  expect(b.told).toEqual([["positions", { two: 7 }]]);
  expect(idle.told).toEqual([]);
  expect(joiner.told).toEqual([]);
});
