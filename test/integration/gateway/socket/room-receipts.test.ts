/** Receipts, typing and delivered watermarks in a gateway's room, with real Socket.IO server and clients. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { eventually } from "../../../support/eventually.ts";
import type { ListeningSocket } from "../../../support/gateway/listening-sockets.ts";
import { StoredChat } from "../../../support/gateway/stored-chat.ts";
import { chatId, commits, delivered, member, receives, settled, start, testRooms, upTo } from "../../../support/gateway/test-rooms.ts";

const rooms = testRooms();
const { listener, openRoom } = rooms;
beforeAll(() => rooms.start());
afterAll(() => rooms.stop());

describe("what is outside the sequence", () => {
  test("a receipt from before a socket subscribed is emitted to it when it subscribes, unless its answer had it", async () => {
    const { room } = openRoom(new StoredChat(chatId));
    const [first, second, third] = [await listener(), await listener(), await listener()];
    room.subscribe(first.server, member("a"), start);
    room.onNote({ kind: "receipts", receipts: [{ userId: "b", deliveredN: 5, readN: 2 }] });
    room.subscribe(second.server, member("b"), start, [{ userId: "b", deliveredN: 5, readN: 1 }]);
    room.subscribe(third.server, member("c"), start, [{ userId: "b", deliveredN: 5, readN: 2 }]);
    room.onNote({ kind: "receipts", receipts: [{ userId: "a", deliveredN: 5, readN: 0 }] });
    const receiptsOf = ({ received }: ListeningSocket) => received.map(({ data }) => [data.userId, data.deliveredN, data.readN]);
    await eventually("all received the last", () => [first, second, third].every((socket) => receiptsOf(socket).at(-1)?.[0] === "a"));
    const [ofB, ofA] = [
      ["b", 5, 2],
      ["a", 5, 0],
    ];
    expect([first, second, third].map(receiptsOf)).toEqual([[ofB, ofA], [ofB, ofA], [ofA]]);
  });

  test("a receipt is emitted when a watermark rises, and not again", async () => {
    const { room } = openRoom(new StoredChat(chatId));
    const socket = await listener();
    room.subscribe(socket.server, member("a"), start);
    const receipts = (...marks: [userId: string, deliveredN: number, readN: number][]) =>
      room.onNote({ kind: "receipts", receipts: marks.map(([userId, deliveredN, readN]) => ({ userId, deliveredN, readN })) });
    receipts(["b", 5, 2], ["c", 1, 0]);
    receipts(["b", 4, 2]);
    receipts(["b", 4, 4], ["c", 1, 0]);
    await settled(socket);
    expect(socket.received.map(({ data }) => [data.userId, data.deliveredN, data.readN])).toEqual([
      ["b", 5, 2],
      ["c", 1, 0],
      ["b", 5, 4],
    ]);
  });

  test("typing is emitted once to everyone but the typist, and ends when they send a message or leave", async () => {
    const chat = new StoredChat(chatId, ["a", "b", "c"]);
    const { room } = openRoom(chat);
    const [a, b] = [await listener(), await listener()];
    const here = { seq: chat.seq, n: chat.n };
    room.subscribe(a.server, chat.membership("a")!, here);
    room.subscribe(b.server, chat.membership("b")!, here);
    await settled(b);
    for (const userId of ["b", "b", "c"]) room.onNote({ kind: "typing", userId, isTyping: true });
    room.onNote(chat.commit(() => chat.send("b")));
    room.onNote({ kind: "typing", userId: "b", isTyping: false });
    room.onNote(chat.commit(() => chat.remove("c")));
    await settled(a);
    await settled(b);
    const typing = ({ received }: ListeningSocket) =>
      received.filter(({ event }) => event === "typing").map(({ data }) => `${data.userId} ${data.isTyping}`);
    expect(typing(a)).toEqual(["b true", "c true", "b false", "c false"]);
    expect(typing(b)).toEqual(["c true", "c false"]);
  });
});

describe("delivered watermarks", () => {
  const raised = (marks: readonly Record<string, number>[], userId: string) =>
    marks.map((mark) => mark[userId]).findLast((n) => n !== undefined);

  test("rise for a member who gets someone else's message, in few calls even for many messages", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room, marks } = openRoom(chat);
    const [a, b] = [await listener(), await listener()];
    const here = { seq: chat.seq, n: chat.n };
    room.subscribe(a.server, chat.membership("a")!, here, delivered("a", chat.n));
    room.subscribe(b.server, chat.membership("b")!, here, delivered("b", chat.n));
    for (const batch of commits(chat, 200, () => chat.send("a"))) room.onNote(batch);
    await eventually("b's mark is raised", () => raised(marks, "b") === chat.n);
    expect(marks.length).toBeLessThanOrEqual(2);
  });

  test("cause no call when only the sender is online", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room, marks, release } = openRoom(chat);
    const a = await listener();
    room.subscribe(a.server, chat.membership("a")!, { seq: chat.seq, n: chat.n }, delivered("a", chat.n));
    release();
    for (const batch of commits(chat, 20, () => chat.send("a"))) room.onNote(batch);
    await receives(a.received, 20);
    room.unsubscribe(a.server); // what is left is reported now
    expect(marks).toEqual([]);
  });

  test("are reported when the last member leaves right away, except those that chat already has", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room, marks, release, closed } = openRoom(chat);
    const b = await listener();
    room.subscribe(b.server, chat.membership("b")!, { seq: chat.seq, n: chat.n }, delivered("b", chat.n));
    release();
    room.onNote(chat.commit(() => chat.send("a")));
    await receives(b.received, 1);
    room.onNote({ kind: "receipts", receipts: [{ userId: "b", deliveredN: chat.n, readN: 0 }] });
    room.onNote(chat.commit(() => chat.send("a")));
    room.unsubscribe(b.server);
    expect(closed()).toBe(true);
    expect(marks).toEqual([{ b: chat.n }]);
  });

  test("are not kept in large chats", async () => {
    const chat = new StoredChat(
      chatId,
      upTo(21).map((i) => `member ${i}`),
    );
    const { room, marks, release } = openRoom(chat, 21);
    const socket = await listener();
    room.subscribe(socket.server, chat.membership("member 1")!, { seq: chat.seq, n: chat.n });
    release();
    room.onNote(chat.commit(() => chat.send()));
    await receives(socket.received, 1);
    room.unsubscribe(socket.server);
    expect(marks).toEqual([]);
  });
});
