/**
 * A gateway's room under a feed that loses, repeats and reorders: real Socket.IO server and clients; the chat is a list of changes
 * that the test keeps as the store would.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ChatNote, Membership } from "../../../../services/chat/contract.ts";
import { Room } from "../../../../services/gateway/socket/rooms/room.ts";
import { eventually } from "../../../support/eventually.ts";
import {
  openListeningSockets,
  type ReceivedSocketEvent,
  type ListeningSocket,
  type ListeningSockets,
} from "../../../support/gateway/listening-sockets.ts";
import { seeded } from "../../../support/seeded.ts";
import { StoredChat } from "../../../support/gateway/stored-chat.ts";

type BatchNote = Extract<ChatNote, { kind: "batch" }>;

const chatId = "0123456789abcdef01234567";
let listeners: ListeningSockets;
const listener = (): Promise<ListeningSocket> => listeners.connect();

beforeAll(async () => {
  listeners = await openListeningSockets();
});
afterAll(() => listeners.close());

interface OpenedTestRoom {
  readonly room: Room;
  /** Delivered marks that chat was told. */
  readonly marks: Record<string, number>[];
  /** Lets the room close when nobody sits in it. */
  readonly release: () => void;
  readonly closed: () => boolean;
}

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

const member = (userId: string, joinedN = 0, joinedSeq = 1): Membership => ({ chatId, userId, joinedN, joinedSeq, leftSeq: null });
const start = { seq: 0, n: 0 };
const delivered = (userId: string, deliveredN: number) => [{ userId, deliveredN, readN: 0 }];
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

const commits = (chat: StoredChat, count: number, change: () => void) => upTo(count).map(() => chat.commit(change));

const messages = (heard: readonly ReceivedSocketEvent[]) =>
  heard.filter(({ event }) => event === "receiveMessage" || event === "messageChanged");
const news = (heard: readonly ReceivedSocketEvent[]): number[] =>
  heard.filter(({ event }) => event === "receiveMessage").map(({ data }) => data.n);
const told = (heard: readonly ReceivedSocketEvent[]) =>
  heard.map(({ event, data }) => (data.n === undefined ? event : `${event} ${data.n}`));
const isAscending = (heard: readonly ReceivedSocketEvent[]) =>
  messages(heard).every(({ data }, index, all) => index === 0 || data.seq > all[index - 1]!.data.seq);

const hears = (heard: readonly ReceivedSocketEvent[], count: number) =>
  eventually(`${count} events are heard`, () => heard.length >= count);
/** Whatever was emitted before has been heard. */
const settled = async ({ server, received: heard }: ListeningSocket) => {
  await new Promise((resolve) => setImmediate(resolve));
  server.emit("error", "settled");
  await eventually("the socket heard everything", () => heard.at(-1)?.data === "settled");
  heard.pop();
};

describe("a room", () => {
  test("emits the next changes, drops old ones, and fetches missing ones", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const { server, received: heard } = await listener();
    room.subscribe(server, member("a"), start);
    const [first, , third] = commits(chat, 3, () => chat.send());
    room.onNote(first!);
    room.onNote(third!);
    room.onNote(first!);
    await hears(heard, 3);
    expect(news(heard)).toEqual([1, 2, 3]);
  });

  test.each([11, 12, 13])("delivers every message once and in order over a bad feed (seed %i)", async (seed) => {
    const random = seeded(seed);
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const early = await listener();
    room.subscribe(early.server, member("a"), start);
    const late: { listener: ListeningSocket; from: number }[] = [];
    const places: { seq: number; n: number }[] = [];
    const delayed: BatchNote[] = [];

    for (let step = 0; step < 400; step++) {
      const batch = chat.commit(() => {
        if (chat.n > 0 && random() < 0.3) chat.edit(1 + Math.floor(random() * chat.n));
        else chat.send();
        if (random() < 0.2) chat.send();
      });
      places.push({ seq: chat.seq, n: chat.n });
      const luck = random();
      if (luck < 0.6) room.onNote(batch);
      else if (luck < 0.75) delayed.push(batch);
      if (luck > 0.95) room.onNote(batch);
      if (random() < 0.1) for (const old of delayed.splice(0)) room.onNote(old);
      if (step % 80 === 40) {
        // One answer read just now, one read a while ago.
        for (const behind of [0, 7]) {
          const place = places.at(-1 - behind)!;
          const joining = await listener();
          late.push({ listener: joining, from: place.n });
          room.subscribe(joining.server, member(`late-${step}-${behind}`), place);
        }
      }
      if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
    }
    room.fetchUpTo(chat.seq, "poll");

    await eventually("the early one has all", () => news(early.received).length >= chat.n);
    expect(news(early.received)).toEqual([...new Set(news(early.received))]);
    expect(new Set(news(early.received))).toEqual(new Set(upTo(chat.n)));
    expect(isAscending(early.received)).toBe(true);
    for (const { listener: joined, from } of late) {
      await eventually("the late one has all", () => news(joined.received).length >= chat.n - from);
      expect(news(joined.received).length).toBe(chat.n - from);
      expect(isAscending(joined.received)).toBe(true);
    }
  });

  test("emits a message as new once, even if the chat changes while its pages are fetched", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const ears = await listener();
    room.subscribe(ears.server, member("a"), start);
    commits(chat, 6, () => chat.send());
    room.fetchUpTo(chat.seq, "poll");
    // The announced change comes with the first page; what is beyond it is another one.
    commits(chat, 6, () => chat.send());
    await hears(ears.received, 12);
    chat.commit(() => chat.edit(3));
    room.onNote(chat.commit(() => chat.edit(8)));
    await hears(ears.received, 14);
    expect(told(ears.received)).toEqual([...upTo(12).map((n) => `receiveMessage ${n}`), "messageChanged 3", "messageChanged 8"]);
  });

  test("emits it as new once to a socket that is ahead of the room", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const ears = await listener();
    const first = chat.commit(() => chat.send());
    room.subscribe(ears.server, member("a"), { seq: 1, n: 1 });
    const others = chat.commit(() => {
      chat.send();
      chat.send();
      chat.edit(2);
      chat.edit(1);
    });
    room.onNote({ ...others, prevSeq: 0, changes: [...first.changes, ...others.changes] });
    await hears(ears.received, 4);
    await settled(ears);
    expect(told(ears.received)).toEqual(["receiveMessage 2", "receiveMessage 3", "messageChanged 2", "messageChanged 1"]);
  });

  test("does not emit a message as new to a socket whose answer had it, even if it is new to the room", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const [behind, further] = [await listener(), await listener()];
    room.subscribe(behind.server, member("a"), start);
    commits(chat, 4, () => chat.send());
    room.subscribe(further.server, member("b"), { seq: 4, n: 4 });
    // Message 3 is on the second page now: the first one reaches beyond where the socket was.
    commits(chat, 4, () => chat.send());
    chat.commit(() => chat.edit(3));
    room.fetchUpTo(chat.seq, "poll");
    await hears(behind.received, 8);
    await hears(further.received, 5);
    expect(told(behind.received)).toEqual([1, 2, 4, 5, 6, 7, 8, 3].map((n) => `receiveMessage ${n}`));
    expect(told(further.received)).toEqual([...[5, 6, 7, 8].map((n) => `receiveMessage ${n}`), "messageChanged 3"]);
  });

  test("hides changes of older messages from a member who joined later", async () => {
    const chat = new StoredChat(chatId);
    chat.commit(() => upTo(3).forEach(() => chat.send()));
    const { room } = openRoom(chat);
    const [old, young] = [await listener(), await listener()];
    room.subscribe(old.server, member("a"), { seq: 3, n: 3 });
    room.subscribe(young.server, member("b", 3, 4), { seq: 3, n: 3 });
    room.onNote(chat.commit(() => chat.edit(2)));
    room.onNote(chat.commit(() => chat.send()));
    await hears(old.received, 2);
    await hears(young.received, 1);
    expect(messages(old.received).map(({ data }) => data.n)).toEqual([2, 4]);
    expect(messages(young.received).map(({ data }) => data.n)).toEqual([4]);
  });

  test("unsubscribes a member who left, after the changes before that and before the later ones", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room } = openRoom(chat);
    const [stays, leaves] = [await listener(), await listener()];
    const here = { seq: chat.seq, n: chat.n };
    room.subscribe(stays.server, chat.membership("a")!, here);
    room.subscribe(leaves.server, chat.membership("b")!, here);
    room.onNote(chat.commit(() => chat.send())); // 3
    chat.commit(() => chat.remove("b")); // 4, lost by the feed
    room.onNote(chat.commit(() => chat.send())); // 5
    await hears(stays.received, 4);
    await hears(leaves.received, 2);
    expect(told(leaves.received)).toEqual(["receiveMessage 3", "chatRemoved"]);
    expect(told(stays.received)).toEqual(["receiveMessage 3", "receiveMessage 4", "receiveMessage 5", "chatChanged"]);
    room.onNote(chat.commit(() => chat.send()));
    await hears(stays.received, 5);
    await settled(leaves);
    expect(leaves.received).toHaveLength(2);
  });

  test("does not subscribe a member who was removed while their answer was in flight", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room } = openRoom(chat);
    const gone = await listener();
    const [membership, here] = [chat.membership("b")!, { seq: chat.seq, n: chat.n }];
    room.onNote(chat.commit(() => chat.send()));
    room.onNote(chat.commit(() => chat.remove("b")));
    room.subscribe(gone.server, membership, here);
    await hears(gone.received, 2);
    expect(told(gone.received)).toEqual(["receiveMessage 3", "chatRemoved"]);
    room.onNote(chat.commit(() => chat.send()));
    expect(room.has(gone.server)).toBe(false);
  });

  test.each(["seated", "about to be seated"])(
    "shows someone %s before nothing of the time between their removal and their return",
    async (when) => {
      const chat = new StoredChat(chatId, ["a", "b"]);
      const { room } = openRoom(chat);
      const ears = await listener();
      const [membership, here] = [chat.membership("b")!, { seq: chat.seq, n: chat.n }];
      if (when === "seated") room.subscribe(ears.server, membership, here);
      chat.commit(() => chat.send());
      chat.commit(() => chat.remove("b"));
      // More than a page, so that the first one does not reach the return.
      commits(chat, 12, () => chat.send());
      const returned = chat.commit(() => chat.add("b"));
      if (when === "seated") room.onNote(returned);
      else room.onNote({ ...chat.since(0), kind: "batch" });
      if (when !== "seated") room.subscribe(ears.server, membership, here);
      room.fetchUpTo(chat.seq, "poll");
      await hears(ears.received, 1);
      const again = chat.membership("b")!;
      room.subscribe(ears.server, again, { seq: again.joinedSeq - 1, n: again.joinedN });
      room.onNote(chat.commit(() => chat.send()));
      await eventually("it hears the newest", () => news(ears.received).includes(chat.n));
      await settled(ears);
      expect(told(ears.received)).toEqual(["chatRemoved", `receiveMessage ${chat.n - 1}`, `receiveMessage ${chat.n}`]);
    },
  );

  test("keeps a new subscription when it learns late that an earlier membership ended", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room } = openRoom(chat);
    const ears = await listener();
    const removed = chat.commit(() => chat.remove("b"));
    const returned = chat.commit(() => chat.add("b"));
    const again = chat.membership("b")!;
    room.subscribe(ears.server, again, { seq: again.joinedSeq - 1, n: again.joinedN });
    room.onNote(removed);
    room.onNote(returned);
    room.onNote(chat.commit(() => chat.send()));
    await hears(ears.received, 2);
    await settled(ears);
    expect(told(ears.received)).toEqual(["receiveMessage 4", "receiveMessage 5"]);
  });

  test("emits chatChanged after the messages that explain it, and not to sockets that have that view", async () => {
    const chat = new StoredChat(chatId, ["a"]);
    const { room } = openRoom(chat);
    const [old, young, further] = [await listener(), await listener(), await listener()];
    room.subscribe(old.server, chat.membership("a")!, { seq: 1, n: 1 });
    const added = chat.commit(() => chat.add("b"));
    room.subscribe(young.server, chat.membership("b")!, { seq: 1, n: 1 });
    // Its answer was read after the change that the room hears only now.
    room.subscribe(further.server, chat.membership("a")!, { seq: 2, n: 2 });
    room.onNote(added);
    room.onNote(chat.commit(() => chat.rename()));
    await hears(old.received, 4);
    await hears(young.received, 3);
    await hears(further.received, 2);
    expect(told(old.received)).toEqual(["receiveMessage 2", "chatChanged", "receiveMessage 3", "chatChanged"]);
    expect(told(young.received)).toEqual(["receiveMessage 2", "receiveMessage 3", "chatChanged"]);
    expect(told(further.received)).toEqual(["receiveMessage 3", "chatChanged"]);
  });

  test("emits chatChanged once at the end of a repair, and not to a member who left during it", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room } = openRoom(chat);
    const [stays, leaves] = [await listener(), await listener()];
    room.subscribe(stays.server, chat.membership("a")!, { seq: 2, n: 2 });
    room.subscribe(leaves.server, chat.membership("b")!, { seq: 2, n: 2 });
    chat.commit(() => chat.rename());
    commits(chat, 8, () => chat.send());
    chat.commit(() => chat.remove("b"));
    commits(chat, 8, () => chat.send());
    room.fetchUpTo(chat.seq, "poll");
    await hears(stays.received, chat.n - 2 + 1);
    await settled(leaves);
    expect(told(stays.received).filter((one) => one === "chatChanged")).toHaveLength(1);
    expect(stays.received.at(-1)).toMatchObject({ event: "chatChanged", data: { lastN: chat.n } });
    expect(told(leaves.received)).toEqual([...upTo(9).map((n) => `receiveMessage ${n + 2}`), "chatRemoved"]);
  });

  test("unsubscribes everybody when the chat is gone", async () => {
    const chat = new StoredChat(chatId, ["a"]);
    const { room, release, closed } = openRoom(chat);
    const ears = await listener();
    room.subscribe(ears.server, chat.membership("a")!, { seq: 1, n: 1 });
    release();
    room.end();
    await hears(ears.received, 1);
    expect(told(ears.received)).toEqual(["chatRemoved"]);
    expect(closed()).toBe(true);
  });

  test("closes when the last socket leaves, even one that was ahead of it", async () => {
    const chat = new StoredChat(chatId, ["a"]);
    const { room, release, closed } = openRoom(chat);
    const ears = await listener();
    chat.commit(() => chat.send());
    room.subscribe(ears.server, chat.membership("a")!, { seq: 2, n: 2 });
    release();
    room.unsubscribe(ears.server);
    await eventually("the room is closed", closed);
  });

  test("fetches changes instead of buffering too many", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const ears = await listener();
    room.subscribe(ears.server, member("a"), start);
    const batches = commits(chat, 2000, () => chat.send());
    for (const batch of batches.slice(1)) room.onNote(batch);
    await eventually("it has all", () => news(ears.received).length >= chat.n);
    expect(news(ears.received)).toEqual(upTo(chat.n));
  });
});

describe("what is outside the sequence", () => {
  test("a receipt from before a socket subscribed is emitted to it when it subscribes, unless its answer had it", async () => {
    const { room } = openRoom(new StoredChat(chatId));
    const [first, second, third] = [await listener(), await listener(), await listener()];
    room.subscribe(first.server, member("a"), start);
    room.onNote({ kind: "receipts", receipts: [{ userId: "b", deliveredN: 5, readN: 2 }] });
    room.subscribe(second.server, member("b"), start, [{ userId: "b", deliveredN: 5, readN: 1 }]);
    room.subscribe(third.server, member("c"), start, [{ userId: "b", deliveredN: 5, readN: 2 }]);
    room.onNote({ kind: "receipts", receipts: [{ userId: "a", deliveredN: 5, readN: 0 }] });
    const toldTo = ({ received: heard }: ListeningSocket) => heard.map(({ data }) => [data.userId, data.deliveredN, data.readN]);
    await eventually("all heard the last", () => [first, second, third].every((one) => toldTo(one).at(-1)?.[0] === "a"));
    const [ofB, ofA] = [
      ["b", 5, 2],
      ["a", 5, 0],
    ];
    expect([first, second, third].map(toldTo)).toEqual([[ofB, ofA], [ofB, ofA], [ofA]]);
  });

  test("a receipt is emitted when a watermark rises, and not again", async () => {
    const { room } = openRoom(new StoredChat(chatId));
    const ears = await listener();
    room.subscribe(ears.server, member("a"), start);
    const receipts = (...marks: [userId: string, deliveredN: number, readN: number][]) =>
      room.onNote({ kind: "receipts", receipts: marks.map(([userId, deliveredN, readN]) => ({ userId, deliveredN, readN })) });
    receipts(["b", 5, 2], ["c", 1, 0]);
    receipts(["b", 4, 2]);
    receipts(["b", 4, 4], ["c", 1, 0]);
    await settled(ears);
    expect(ears.received.map(({ data }) => [data.userId, data.deliveredN, data.readN])).toEqual([
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
    const typing = ({ received: heard }: ListeningSocket) =>
      heard.filter(({ event }) => event === "typing").map(({ data }) => `${data.userId} ${data.isTyping}`);
    expect(typing(a)).toEqual(["b true", "c true", "b false", "c false"]);
    expect(typing(b)).toEqual(["c true", "c false"]);
  });
});

describe("delivered watermarks", () => {
  const raised = (marks: readonly Record<string, number>[], userId: string) =>
    marks.map((one) => one[userId]).findLast((n) => n !== undefined);

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
    await hears(a.received, 20);
    room.unsubscribe(a.server); // what is left to tell is told now
    expect(marks).toEqual([]);
  });

  test("are reported when the last member leaves right away, except those that chat already has", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room, marks, release, closed } = openRoom(chat);
    const b = await listener();
    room.subscribe(b.server, chat.membership("b")!, { seq: chat.seq, n: chat.n }, delivered("b", chat.n));
    release();
    room.onNote(chat.commit(() => chat.send("a")));
    await hears(b.received, 1);
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
    const ears = await listener();
    room.subscribe(ears.server, chat.membership("member 1")!, { seq: chat.seq, n: chat.n });
    release();
    room.onNote(chat.commit(() => chat.send()));
    await hears(ears.received, 1);
    room.unsubscribe(ears.server);
    expect(marks).toEqual([]);
  });
});
