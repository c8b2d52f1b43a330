/**
 * A gateway's room under a feed that loses, repeats and reorders: real Socket.IO server and clients; the chat is a list of changes
 * that the test keeps as the store would.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Server, type Socket as ServerSocket } from "socket.io";
import { io as connect, type Socket } from "socket.io-client";
import type { Batch, Membership, Message } from "../../services/chat/contract.ts";
import { Room } from "../../services/gateway/socket/room.ts";
import { eventually } from "../support/eventually.ts";
import { seeded } from "../support/seeded.ts";

const chatId = "0123456789abcdef01234567";
const http = createServer();
const io = new Server(http, { serveClient: false });
let url = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await io.close();
});

/** What the store would hold: each message at its last change. */
class Chat {
  readonly messages = new Map<number, Message>();
  readonly memberChanges: (Membership & { changedSeq: number })[] = [];
  seq = 0;
  n = 0;

  send(): Batch {
    return this.batch(() => [this.put(++this.n)]);
  }
  edit(n: number): Batch {
    return this.batch(() => [this.put(n)]);
  }
  remove(userId: string): Batch {
    const prevSeq = this.seq;
    const leftSeq = ++this.seq;
    const membership = { chatId, userId, joinedN: 0, joinedSeq: 1, leftSeq };
    this.memberChanges.push({ ...membership, changedSeq: leftSeq });
    return { chatId, prevSeq, seq: this.seq, n: this.n, membersSeq: leftSeq, changes: [], memberChanges: [membership] };
  }
  /** As chat answers a gateway that missed something, a page of 5 at a time. */
  since(since: number): Batch & { more: boolean } {
    const changed = [...this.messages.values()].filter(({ seq }) => seq > since).sort((a, b) => a.seq - b.seq);
    const changes = changed.slice(0, 5);
    const more = changed.length > changes.length;
    const seq = more ? changes.at(-1)!.seq : this.seq;
    const memberChanges = this.memberChanges.filter(({ changedSeq }) => changedSeq > since && changedSeq <= seq);
    return { chatId, prevSeq: since, seq, n: this.n, membersSeq: 0, changes, memberChanges, more };
  }

  private batch(change: () => Message[]): Batch {
    const prevSeq = this.seq;
    const changes = change();
    return { chatId, prevSeq, seq: this.seq, n: this.n, membersSeq: 0, changes, memberChanges: [] };
  }
  private put(n: number): Message {
    const message = { n, seq: ++this.seq, chatId } as unknown as Message;
    this.messages.set(n, message);
    return message;
  }
}

interface Heard {
  readonly event: string;
  readonly n: number;
  readonly seq: number;
}
interface Listener {
  readonly server: ServerSocket;
  readonly heard: Heard[];
  readonly client: Socket;
}

async function listener(): Promise<Listener> {
  const client = connect(url, { transports: ["websocket"], forceNew: true });
  const heard: Heard[] = [];
  client.onAny((event: string, { n = 0, seq = 0 }: { n?: number; seq?: number }) => heard.push({ event, n, seq }));
  const server = await new Promise<ServerSocket>((resolve) => io.once("connection", resolve));
  return { server, heard, client };
}

function openRoom(chat: Chat, onJoined: (membership: Membership) => void = () => undefined): Room {
  const room = new Room(chatId, {
    io,
    log: { error: (error: unknown) => process.emitWarning(String(error)) },
    fetchChanges: (_, since) => Promise.resolve(chat.since(since)),
    onJoined,
    onEmpty: () => undefined,
  });
  room.hold();
  room.begin({ chatId, seq: chat.seq, n: chat.n, membersSeq: 0 });
  return room;
}

const member = (userId: string, joinedN = 0): Membership => ({ chatId, userId, joinedN, joinedSeq: 1, leftSeq: null });
const news = (heard: readonly Heard[]) => heard.filter(({ event }) => event === "receiveMessage").map(({ n }) => n);
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);
const isAscending = (heard: readonly Heard[]) => heard.every(({ seq }, index) => index === 0 || seq > heard[index - 1]!.seq);

const hears = (heard: readonly Heard[], count: number) => eventually(`${count} events are heard`, () => heard.length >= count);

describe("a room", () => {
  test("emits what follows, drops what is old, and fetches what is missing", async () => {
    const chat = new Chat();
    const room = openRoom(chat);
    const { server, heard, client } = await listener();
    room.attach(server, member("a"), { seq: 0, n: 0 });
    const [first, , third] = [chat.send(), chat.send(), chat.send()];
    room.hear(first);
    room.hear(third);
    room.hear(first);
    await hears(heard, 3);
    expect(news(heard)).toEqual([1, 2, 3]);
    client.close();
  });

  test.each([11, 12, 13])("delivers every message once and in order over a bad feed (seed %i)", async (seed) => {
    const random = seeded(seed);
    const chat = new Chat();
    const room = openRoom(chat);
    const early = await listener();
    room.attach(early.server, member("a"), { seq: 0, n: 0 });
    const late: { listener: Listener; from: number }[] = [];
    const places: { seq: number; n: number }[] = [];
    const delayed: Batch[] = [];

    for (let step = 0; step < 400; step++) {
      const batch = chat.n > 0 && random() < 0.3 ? chat.edit(1 + Math.floor(random() * chat.n)) : chat.send();
      places.push({ seq: chat.seq, n: chat.n });
      const luck = random();
      if (luck < 0.6) room.hear(batch);
      else if (luck < 0.75) delayed.push(batch);
      if (luck > 0.95) room.hear(batch);
      if (random() < 0.1) for (const old of delayed.splice(0)) room.hear(old);
      if (step % 80 === 40) {
        // One answer read just now, one read a while ago.
        for (const behind of [0, 7]) {
          const place = places.at(-1 - behind)!;
          const joining = await listener();
          late.push({ listener: joining, from: place.n });
          room.attach(joining.server, member(`late-${step}-${behind}`), place);
        }
      }
      if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
    }
    room.reach(chat.seq);

    await eventually("the early one has all", () => news(early.heard).length >= chat.n);
    expect(news(early.heard)).toEqual([...new Set(news(early.heard))]);
    expect(new Set(news(early.heard))).toEqual(new Set(upTo(chat.n)));
    expect(isAscending(early.heard)).toBe(true);
    for (const { listener: joined, from } of late) {
      await eventually("the late one has all", () => news(joined.heard).length >= chat.n - from);
      expect(news(joined.heard).length).toBe(chat.n - from);
      expect(isAscending(joined.heard)).toBe(true);
    }
    for (const { client } of [early, ...late.map((entry) => entry.listener)]) client.close();
  });

  test("shows who joined late no change of an older message", async () => {
    const chat = new Chat();
    upTo(3).forEach(() => chat.send());
    const room = openRoom(chat);
    const [old, young] = [await listener(), await listener()];
    room.attach(old.server, member("a"), { seq: 3, n: 3 });
    room.attach(young.server, member("b", 3), { seq: 3, n: 3 });
    room.hear(chat.edit(2));
    room.hear(chat.send());
    await hears(old.heard, 2);
    await hears(young.heard, 1);
    expect(old.heard.map(({ n }) => n)).toEqual([2, 4]);
    expect(young.heard.map(({ n }) => n)).toEqual([4]);
    old.client.close();
    young.client.close();
  });

  test("puts out who left, after the changes before it and before those after it", async () => {
    const chat = new Chat();
    const room = openRoom(chat);
    const [stays, leaves] = [await listener(), await listener()];
    room.attach(stays.server, member("a"), { seq: 0, n: 0 });
    room.attach(leaves.server, member("b"), { seq: 0, n: 0 });
    room.hear(chat.send());
    chat.remove("b"); // lost by the feed
    room.hear(chat.send());
    await hears(stays.heard, 2);
    await hears(leaves.heard, 2);
    expect(leaves.heard.map(({ event }) => event)).toEqual(["receiveMessage", "chatRemoved"]);
    room.hear(chat.send());
    await hears(stays.heard, 3);
    expect(leaves.heard.length).toBe(2);
    stays.client.close();
    leaves.client.close();
  });

  test("does not seat who was removed while their answer was under way", async () => {
    const chat = new Chat();
    const room = openRoom(chat);
    const gone = await listener();
    chat.send();
    room.hear(chat.since(0));
    room.hear(chat.remove("b"));
    room.attach(gone.server, member("b"), { seq: 1, n: 1 });
    await hears(gone.heard, 1);
    expect(gone.heard.map(({ event }) => event)).toEqual(["chatRemoved"]);
    room.hear(chat.send());
    expect(room.has(gone.server)).toBe(false);
    gone.client.close();
  });
});
