/** A gateway's room under a feed that loses, repeats and reorders, with real Socket.IO server and clients. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ChatNote } from "../../../../services/chat/contract.ts";
import { eventually } from "../../../support/eventually.ts";
import type { ListeningSocket } from "../../../support/gateway/listening-sockets.ts";
import { StoredChat } from "../../../support/gateway/stored-chat.ts";
import {
  chatId,
  commits,
  isAscending,
  member,
  messages,
  namesOf,
  news,
  receives,
  settled,
  start,
  testRooms,
  upTo,
} from "../../../support/gateway/test-rooms.ts";
import { seeded } from "../../../support/random.ts";

type BatchNote = Extract<ChatNote, { kind: "batch" }>;

const rooms = testRooms();
const { listener, openRoom } = rooms;
beforeAll(() => rooms.start());
afterAll(() => rooms.stop());

describe("a room", () => {
  test("emits the next changes, drops old ones, and fetches missing ones", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const { server, received } = await listener();
    room.subscribe(server, member("a"), start);
    const [first, , third] = commits(chat, 3, () => chat.send());
    room.onNote(first!);
    room.onNote(third!);
    room.onNote(first!);
    await receives(received, 3);
    expect(news(received)).toEqual([1, 2, 3]);
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
    const socket = await listener();
    room.subscribe(socket.server, member("a"), start);
    commits(chat, 6, () => chat.send());
    room.fetchUpTo(chat.seq, "poll");
    // The announced change comes with the first page; what is beyond it is another one.
    commits(chat, 6, () => chat.send());
    await receives(socket.received, 12);
    chat.commit(() => chat.edit(3));
    room.onNote(chat.commit(() => chat.edit(8)));
    await receives(socket.received, 14);
    expect(namesOf(socket.received)).toEqual([...upTo(12).map((n) => `receiveMessage ${n}`), "messageChanged 3", "messageChanged 8"]);
  });

  test("emits it as new once to a socket that is ahead of the room", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const socket = await listener();
    const first = chat.commit(() => chat.send());
    room.subscribe(socket.server, member("a"), { seq: 1, n: 1 });
    const others = chat.commit(() => {
      chat.send();
      chat.send();
      chat.edit(2);
      chat.edit(1);
    });
    room.onNote({ ...others, prevSeq: 0, changes: [...first.changes, ...others.changes] });
    await receives(socket.received, 4);
    await settled(socket);
    expect(namesOf(socket.received)).toEqual(["receiveMessage 2", "receiveMessage 3", "messageChanged 2", "messageChanged 1"]);
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
    await receives(behind.received, 8);
    await receives(further.received, 5);
    expect(namesOf(behind.received)).toEqual([1, 2, 4, 5, 6, 7, 8, 3].map((n) => `receiveMessage ${n}`));
    expect(namesOf(further.received)).toEqual([...[5, 6, 7, 8].map((n) => `receiveMessage ${n}`), "messageChanged 3"]);
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
    await receives(old.received, 2);
    await receives(young.received, 1);
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
    await receives(stays.received, 4);
    await receives(leaves.received, 2);
    expect(namesOf(leaves.received)).toEqual(["receiveMessage 3", "chatRemoved"]);
    expect(namesOf(stays.received)).toEqual(["receiveMessage 3", "receiveMessage 4", "receiveMessage 5", "chatChanged"]);
    room.onNote(chat.commit(() => chat.send()));
    await receives(stays.received, 5);
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
    await receives(gone.received, 2);
    expect(namesOf(gone.received)).toEqual(["receiveMessage 3", "chatRemoved"]);
    room.onNote(chat.commit(() => chat.send()));
    expect(room.has(gone.server)).toBe(false);
  });

  test.each(["subscribed", "about to subscribe"])(
    "shows nothing from between a removal and a return to someone who was %s",
    async (when) => {
      const chat = new StoredChat(chatId, ["a", "b"]);
      const { room } = openRoom(chat);
      const socket = await listener();
      const [membership, here] = [chat.membership("b")!, { seq: chat.seq, n: chat.n }];
      if (when === "subscribed") room.subscribe(socket.server, membership, here);
      chat.commit(() => chat.send());
      chat.commit(() => chat.remove("b"));
      // More than a page, so that the first one does not reach the return.
      commits(chat, 12, () => chat.send());
      const returned = chat.commit(() => chat.add("b"));
      if (when === "subscribed") room.onNote(returned);
      else room.onNote({ ...chat.since(0), kind: "batch" });
      if (when !== "subscribed") room.subscribe(socket.server, membership, here);
      room.fetchUpTo(chat.seq, "poll");
      await receives(socket.received, 1);
      const again = chat.membership("b")!;
      room.subscribe(socket.server, again, { seq: again.joinedSeq - 1, n: again.joinedN });
      room.onNote(chat.commit(() => chat.send()));
      await eventually("it receives the newest", () => news(socket.received).includes(chat.n));
      await settled(socket);
      expect(namesOf(socket.received)).toEqual(["chatRemoved", `receiveMessage ${chat.n - 1}`, `receiveMessage ${chat.n}`]);
    },
  );

  test("keeps a new subscription when it learns late that an earlier membership ended", async () => {
    const chat = new StoredChat(chatId, ["a", "b"]);
    const { room } = openRoom(chat);
    const socket = await listener();
    const removed = chat.commit(() => chat.remove("b"));
    const returned = chat.commit(() => chat.add("b"));
    const again = chat.membership("b")!;
    room.subscribe(socket.server, again, { seq: again.joinedSeq - 1, n: again.joinedN });
    room.onNote(removed);
    room.onNote(returned);
    room.onNote(chat.commit(() => chat.send()));
    await receives(socket.received, 2);
    await settled(socket);
    expect(namesOf(socket.received)).toEqual(["receiveMessage 4", "receiveMessage 5"]);
  });

  test("emits chatChanged after the messages that explain it, and not to sockets that have that view", async () => {
    const chat = new StoredChat(chatId, ["a"]);
    const { room } = openRoom(chat);
    const [old, young, further] = [await listener(), await listener(), await listener()];
    room.subscribe(old.server, chat.membership("a")!, { seq: 1, n: 1 });
    const added = chat.commit(() => chat.add("b"));
    room.subscribe(young.server, chat.membership("b")!, { seq: 1, n: 1 });
    // Its answer was read after the change that the room receives only now.
    room.subscribe(further.server, chat.membership("a")!, { seq: 2, n: 2 });
    room.onNote(added);
    room.onNote(chat.commit(() => chat.rename()));
    await receives(old.received, 4);
    await receives(young.received, 3);
    await receives(further.received, 2);
    expect(namesOf(old.received)).toEqual(["receiveMessage 2", "chatChanged", "receiveMessage 3", "chatChanged"]);
    expect(namesOf(young.received)).toEqual(["receiveMessage 2", "receiveMessage 3", "chatChanged"]);
    expect(namesOf(further.received)).toEqual(["receiveMessage 3", "chatChanged"]);
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
    await receives(stays.received, chat.n - 2 + 1);
    await settled(leaves);
    expect(namesOf(stays.received).filter((name) => name === "chatChanged")).toHaveLength(1);
    expect(stays.received.at(-1)).toMatchObject({ event: "chatChanged", data: { lastN: chat.n } });
    expect(namesOf(leaves.received)).toEqual([...upTo(9).map((n) => `receiveMessage ${n + 2}`), "chatRemoved"]);
  });

  test("unsubscribes everybody when the chat is gone", async () => {
    const chat = new StoredChat(chatId, ["a"]);
    const { room, release, closed } = openRoom(chat);
    const socket = await listener();
    room.subscribe(socket.server, chat.membership("a")!, { seq: 1, n: 1 });
    release();
    room.end();
    await receives(socket.received, 1);
    expect(namesOf(socket.received)).toEqual(["chatRemoved"]);
    expect(closed()).toBe(true);
  });

  test("closes when the last socket leaves, even one that was ahead of it", async () => {
    const chat = new StoredChat(chatId, ["a"]);
    const { room, release, closed } = openRoom(chat);
    const socket = await listener();
    chat.commit(() => chat.send());
    room.subscribe(socket.server, chat.membership("a")!, { seq: 2, n: 2 });
    release();
    room.unsubscribe(socket.server);
    await eventually("the room is closed", closed);
  });

  test("fetches changes instead of buffering too many", async () => {
    const chat = new StoredChat(chatId);
    const { room } = openRoom(chat);
    const socket = await listener();
    room.subscribe(socket.server, member("a"), start);
    const batches = commits(chat, 2000, () => chat.send());
    for (const batch of batches.slice(1)) room.onNote(batch);
    await eventually("it has all", () => news(socket.received).length >= chat.n);
    expect(news(socket.received)).toEqual(upTo(chat.n));
  });
});
