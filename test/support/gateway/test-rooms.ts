/** Rooms of a gateway with real Socket.IO server and clients; the chat behind a room is a `StoredChat`. */
import type { Membership } from "../../../services/chat/contract.ts";
import { Room } from "../../../services/gateway/socket/rooms/room.ts";
import { eventually } from "../eventually.ts";
import { openListeningSockets, type ListeningSocket, type ListeningSockets, type ReceivedSocketEvent } from "./listening-sockets.ts";
import type { StoredChat } from "./stored-chat.ts";

export const chatId = "0123456789abcdef01234567";

interface OpenedTestRoom {
  readonly room: Room;
  /** Delivered watermarks that were reported to chat. */
  readonly marks: Record<string, number>[];
  /** Lets the room close when it has no subscriber. */
  readonly release: () => void;
  readonly closed: () => boolean;
}

export interface TestRooms {
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Connects a socket. */
  readonly listener: () => Promise<ListeningSocket>;
  readonly openRoom: (chat: StoredChat, memberCount?: number) => OpenedTestRoom;
}

export function testRooms(): TestRooms {
  let listeners: ListeningSockets;
  function openRoom(chat: StoredChat, memberCount = 2): OpenedTestRoom {
    const marks: Record<string, number>[] = [];
    let isClosed = false;
    const room = new Room(chatId, {
      io: listeners.io,
      log: { error: (error: unknown) => process.emitWarning(String(error)) },
      fetchChanges: (_, since) => Promise.resolve(chat.since(since)),
      raiseDelivered: (_, raised) => Promise.resolve(marks.push(raised)),
      onUnsubscribed: (socket, left) => socket.emit("chatRemoved", { chatId: left.chatId }),
      onEmpty: () => (isClosed = true),
    });
    const release = room.retain();
    const { seq, n } = chat;
    room.begin({ chatId, seq, n, memberCount });
    return { room, marks, release, closed: () => isClosed };
  }
  return {
    async start() {
      listeners = await openListeningSockets();
    },
    stop: () => listeners.close(),
    listener: () => listeners.connect(),
    openRoom,
  };
}

export const member = (userId: string, joinedN = 0, joinedSeq = 1): Membership => ({ chatId, userId, joinedN, joinedSeq, leftSeq: null });
export const start = { seq: 0, n: 0 };
export const delivered = (userId: string, deliveredN: number) => [{ userId, deliveredN, readN: 0 }];
export const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

export const commits = (chat: StoredChat, count: number, change: () => void) => upTo(count).map(() => chat.commit(change));

export const messages = (received: readonly ReceivedSocketEvent[]) =>
  received.filter(({ event }) => event === "receiveMessage" || event === "messageChanged");
export const news = (received: readonly ReceivedSocketEvent[]): number[] =>
  received.filter(({ event }) => event === "receiveMessage").map(({ data }) => data.n);
export const namesOf = (received: readonly ReceivedSocketEvent[]) =>
  received.map(({ event, data }) => (data.n === undefined ? event : `${event} ${data.n}`));
export const isAscending = (received: readonly ReceivedSocketEvent[]) =>
  messages(received).every(({ data }, index, all) => index === 0 || data.seq > all[index - 1]!.data.seq);

export const receives = (received: readonly ReceivedSocketEvent[], count: number) =>
  eventually(`${count} events arrive`, () => received.length >= count);
/** Waits until the client has received everything emitted so far. */
export const settled = async ({ server, received }: ListeningSocket) => {
  await new Promise((resolve) => setImmediate(resolve));
  server.emit("error", "settled");
  await eventually("the socket received everything", () => received.at(-1)?.data === "settled");
  received.pop();
};
