/**
 * Live delivery while members come and go: the gateway's own code over a feed that loses, repeats and reorders, and a chat service
 * that answers late or not at all. Two chats as the store would hold them are what everybody's view is compared with at the end.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Logger, ServiceBroker } from "moleculer";
import type { MessageListener } from "../../../../core/feed/listeners.ts";
import { type Chat, chatChannel, type Membership, type SyncAnswer } from "../../../../services/chat/contract.ts";
import { userChannel } from "../../../../services/user-notes.ts";
import type { Channel, Feed } from "../../../../core/feed/feed.ts";
import { openLocalFeed } from "../../../../core/feed/local.ts";
import { newId } from "../../../../core/ids.ts";
import { processRegistry } from "../../../../core/metrics/declare.ts";
import { Forbidden, Unavailable } from "../../../../core/errors.ts";
import type { ContactRequest } from "../../../../services/request/contract.ts";
import { LiveDelivery } from "../../../../services/gateway/socket/delivery/delivery.ts";
import { pollMissedChanges } from "../../../../services/gateway/socket/delivery/poll-missed-changes.ts";
import type { UserSocket } from "../../../../services/gateway/socket/socket-state.ts";
import { KnownMemberships } from "../../../../services/gateway/socket/known-memberships.ts";
import { eventually } from "../../../support/eventually.ts";
import { openListeningSockets, type ReceivedSocketEvent, type ListeningSockets } from "../../../support/gateway/listening-sockets.ts";
import { seeded } from "../../../support/random.ts";
import { StoredChat } from "../../../support/gateway/stored-chat.ts";

const chatIds = ["0123456789abcdef01234567", "fedcba9876543210fedcba98"] as const;
const people = ["a", "b", "c", "d"] as const;
const silent = { error: (error: unknown) => process.emitWarning(String(error)), debug: () => undefined } as Logger;

let listeners: ListeningSockets;
beforeAll(async () => {
  listeners = await openListeningSockets();
});
afterAll(() => listeners.close());

type Random = () => number;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A feed with no manners; `heal` makes it a good one. */
function badFeed(random: Random) {
  const hearers = new Map<string, Set<MessageListener>>();
  const delayed: (() => void)[] = [];
  let isBad = true;
  const deliver = (channel: string, message: object) => hearers.get(channel)?.forEach((hear) => hear(message, channel));
  const feed: Feed = {
    publish(channel, message) {
      const luck = isBad ? random() : 1;
      if (luck < 0.1) return;
      if (luck < 0.3) delayed.push(() => deliver(channel, message));
      else deliver(channel, message);
      if (luck > 0.9 && isBad) deliver(channel, message);
      while (delayed.length > 0 && random() < 0.3) delayed.splice(Math.floor(random() * delayed.length), 1)[0]!();
    },
    async subscribe(channels, hear) {
      await turn();
      for (const channel of channels) hearers.set(channel, (hearers.get(channel) ?? new Set()).add(hear as MessageListener));
      return { stop: () => channels.forEach((channel) => hearers.get(channel)?.delete(hear as MessageListener)) };
    },
    onInterruption: () => () => undefined,
    health: () => ({ ok: true }),
    close: () => Promise.resolve(),
  };
  const heal = () => {
    isBad = false;
    for (const deliverLate of delayed.splice(0)) deliverLate();
  };
  return { feed, heal };
}

/** The params of chat's actions. */
interface ChatParams {
  readonly chatId: string;
  readonly chatIds: readonly string[];
  readonly userId: string;
  readonly since: number;
}

/** Answers as chat does, but late, and sometimes with an error. */
function chatService(chats: readonly StoredChat[], random: Random) {
  let isBad = true;
  const of = (chatId: string) => chats.find((chat) => chat.chatId === chatId)!;
  const membershipsOf = (userId: string) => chats.filter((chat) => chat.isMember(userId)).map((chat) => chat.membership(userId)!);
  const view = (chat: StoredChat, userId: string) => ({ ...chat.shared(), unread: 0, ...chat.membership(userId)! });
  const actions: Record<string, (params: ChatParams, userId: string) => unknown> = {
    "chat.view"({ chatId }, userId) {
      if (!of(chatId).isMember(userId)) throw new Forbidden();
      return { chat: view(of(chatId), userId), membership: of(chatId).membership(userId) };
    },
    "chat.memberships": ({ userId }) => membershipsOf(userId),
    "chat.sync"(_, userId) {
      const own = membershipsOf(userId);
      const heads = own.map(({ chatId }) => of(chatId));
      const positions = heads.map((chat, index) => ({ membership: own[index], seq: chat.seq, n: chat.n }));
      const answer = {
        chats: heads.map((chat) => view(chat, userId)),
        messages: Object.fromEntries(heads.map((chat) => [chat.chatId, chat.visibleTo(userId)])),
        receipts: {},
      };
      return { answer, positions };
    },
    "chat.changes": ({ chatId, since }) => of(chatId).since(since),
    "chat.heads": ({ chatIds: ids }) => ids.map((chatId) => of(chatId).head()),
    "chat.moved": () => ({
      heads: chats.map((chat) => chat.head()),
      memberships: chats.flatMap((chat) => people.flatMap((userId) => chat.membership(userId) ?? [])),
      at: 0,
    }),
    "chat.markDelivered": () => null,
  };
  const late = async () => {
    for (let turns = Math.floor(random() * 8); turns > 0; turns--) await turn();
  };
  async function call(name: string, params: ChatParams, options: { meta?: { user?: { id: string } } } = {}) {
    await late();
    if (isBad && random() < 0.01) throw new Unavailable();
    // The state of this moment, although the answer arrives later.
    const answer = structuredClone(actions[name]!(params, options.meta?.user?.id ?? ""));
    await late();
    return answer;
  }
  return {
    // eslint-disable-next-line no-restricted-syntax -- only `call` is used here
    broker: { call } as unknown as ServiceBroker,
    heal: () => (isBad = false),
    view,
  };
}

/** A device that checks its events: the messages that it holds of each chat, and which events were wrong. */
class Device {
  readonly held = new Map<string, Map<number, number>>();
  readonly wrong: string[] = [];
  private readonly joined = new Map<string, Pick<Membership, "joinedN" | "joinedSeq">>();
  private readonly lastSeq = new Map<string, number>();
  private read = 0;
  private readonly received: readonly ReceivedSocketEvent[];

  constructor(received: readonly ReceivedSocketEvent[]) {
    this.received = received;
  }

  start({ chats, messages }: Pick<SyncAnswer, "chats" | "messages">, seqs: ReadonlyMap<string, number>): void {
    this.held.clear();
    this.read = this.received.length;
    for (const { _id, ...joined } of chats as readonly (Chat & Membership)[]) {
      this.held.set(_id, new Map(messages[_id]!.map(({ n, seq }) => [n, seq])));
      this.joined.set(_id, joined);
      this.lastSeq.set(_id, seqs.get(_id)!);
    }
  }

  /** Applies the events received since the last call. */
  follow(): void {
    for (const { event, data } of this.received.slice(this.read)) this.apply(event, data);
    this.read = this.received.length;
  }

  private apply(event: string, data: ReceivedSocketEvent["data"]): void {
    const chatId: string = data.chatId ?? data._id;
    const held = this.held.get(chatId);
    const complain = (what: string) => this.wrong.push(`${event} ${data.n ?? ""} in ${chatId.slice(0, 2)}: ${what}`);
    if (event === "chatRemoved") {
      if (held === undefined) complain("was not a member");
      this.held.delete(chatId);
    } else if (event === "chatChanged") {
      const isNew = "unread" in data;
      if (isNew && held !== undefined) complain("is known");
      if (!isNew && held === undefined) complain("is not a member");
      if (!isNew && data.sharedSeq <= this.joined.get(chatId)!.joinedSeq) complain("was in the joining answer");
      if (!isNew || held !== undefined) return;
      this.held.set(chatId, new Map());
      this.joined.set(chatId, data);
      this.lastSeq.set(chatId, 0);
    } else if (held === undefined) complain("is not a member");
    else {
      if (data.n <= this.joined.get(chatId)!.joinedN) complain("is from before the join");
      if (data.seq <= this.lastSeq.get(chatId)!) complain("is out of order");
      if ((event === "receiveMessage") === held.has(data.n)) complain(event === "receiveMessage" ? "is known" : "is not known");
      held.set(data.n, data.seq);
      this.lastSeq.set(chatId, data.seq);
    }
  }
}

const seeds = [1, 2, 3, 4, 5, 6];

test.each(seeds)("everybody's view ends as the store's, and nothing was emitted twice or to a stranger (seed %i)", async (seed) => {
  const random = seeded(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const chats = chatIds.map((chatId) => new StoredChat(chatId, people.slice(0, 2)));
  const { feed, heal } = badFeed(random);
  const service = chatService(chats, random);
  const live = new LiveDelivery(service.broker, listeners.io, feed, silent);
  const devices: { userId: string; socket: UserSocket; device: Device }[] = [];

  const arrive = async (userId: string) => {
    const { server, received } = await listeners.connect();
    const socket = server as UserSocket;
    const session = { user: { id: userId, sessionId: "s" }, expiresAt: Infinity };
    Object.assign(socket.data, {
      session,
      client: {},
      isSubscribed: false,
      knownMemberships: new KnownMemberships(),
      leftChats: new Set(),
      pendingNotes: undefined,
    });
    socket.on("disconnecting", () => live.removeSocket(socket));
    live.addSocket(socket);
    const device = new Device(received);
    for (;;) {
      try {
        const { data, onAcknowledged: afterwards } = await live.subscribe(socket, { since: {} });
        // Events received before the answer are part of it: the device starts with the answer.
        socket.emit("error", "answered");
        await eventually("the answer arrives", () => received.at(-1)?.event === "error");
        device.start(data, new Map(data.chats.map(({ _id, lastSeq }) => [_id, lastSeq])));
        afterwards?.();
        devices.push({ userId, socket, device });
        return;
      } catch (error) {
        if ((error as Error).message.startsWith("not within")) throw error;
      }
    }
  };
  const act = (chat: StoredChat) => {
    const userId = pick(people);
    const joined: Membership[] = [];
    const left: Membership[] = [];
    const batch = chat.commit(() => {
      const luck = random();
      if (luck < 0.15 && !chat.isMember(userId)) {
        chat.add(userId);
        joined.push(chat.membership(userId)!);
      } else if (luck < 0.3 && chat.isMember(userId)) {
        chat.remove(userId);
        left.push(chat.membership(userId)!);
        // Quickly again.
        if (random() < 0.3) {
          chat.add(userId);
          joined.push(chat.membership(userId)!);
        }
      } else if (luck < 0.4) chat.rename();
      else if (luck < 0.6 && chat.n > 0) chat.edit(1 + Math.floor(random() * chat.n));
      else chat.send(userId);
    });
    feed.publish(chatChannel(chat.chatId), batch);
    const { chatId } = chat;
    for (const { leftSeq } of left) {
      feed.publish(userChannel(userId), { event: "chatRemoved", data: { chatId }, left: { chatId, leftSeq: leftSeq! } });
    }
    for (const { joinedN, joinedSeq } of joined) {
      const joined = { chatId, joinedN, joinedSeq };
      feed.publish(userChannel(userId), { event: "chatChanged", data: service.view(chat, userId), joined });
    }
  };

  await Promise.all([...people, "a", "b"].map(arrive));
  for (let step = 0; step < 1500; step++) {
    act(pick(chats));
    if (random() < 0.5) await turn();
    if (step % 50 === 25) await pollMissedChanges(service.broker, live, silent, 0).catch(() => undefined);
    if (step % 100 === 75) await arrive(pick(people));
  }
  heal();
  service.heal();
  await pollMissedChanges(service.broker, live, silent, 0);

  const views = () =>
    devices.map(({ userId, device }) => {
      device.follow();
      return {
        userId,
        held: Object.fromEntries([...device.held].sort().map(([chatId, held]) => [chatId, [...held].sort(([a], [b]) => a - b)])),
      };
    });
  const stored = devices.map(({ userId }) => ({
    userId,
    held: Object.fromEntries(
      chats
        .filter((chat) => chat.isMember(userId))
        .map((chat) => [chat.chatId, chat.visibleTo(userId).map(({ n, seq }) => [n, seq])] as const)
        .sort(),
    ),
  }));
  await eventually("all views are the store's", () => JSON.stringify(views()) === JSON.stringify(stored)).catch(() => undefined);
  expect(devices.flatMap(({ userId, device }) => device.wrong.map((what) => `${userId}: ${what}`))).toEqual([]);
  expect(views()).toEqual(stored);
  for (const { socket } of devices) socket.disconnect();
  expect(live.rooms.all()).toEqual([]);
});

test("an event that only a newer release knows is dropped and counted, and the next ones are emitted", async () => {
  const feed = openLocalFeed();
  const chat = new StoredChat(chatIds[0], ["a"]);
  const service = chatService([chat], () => 0.5);
  service.heal();
  const live = new LiveDelivery(service.broker, listeners.io, feed, silent);
  const { server, received } = await listeners.connect();
  const socket = server as UserSocket;
  const session = { user: { id: "a", sessionId: "s" }, expiresAt: Infinity };
  Object.assign(socket.data, {
    session,
    client: {},
    isSubscribed: false,
    knownMemberships: new KnownMemberships(),
    leftChats: new Set(),
    pendingNotes: undefined,
  });
  live.addSocket(socket);
  const { onAcknowledged: afterwards } = await live.subscribe(socket, { since: {} });
  afterwards?.();

  const [user, room] = [userChannel("a"), chatChannel(chat.chatId)] as readonly Channel[];
  const before = await unknown();
  feed.publish(user!, { event: "presence", data: { userId: "b" }, left: { chatId: chat.chatId, leftSeq: 9 } });
  feed.publish(user!, {});
  feed.publish(room!, { kind: "pinned", seq: 9, n: 9 });
  feed.publish(
    chatChannel(chat.chatId),
    chat.commit(() => chat.send()),
  );
  feed.publish(userChannel("a"), { event: "requestReceived", data: { _id: newId() } as ContactRequest });
  await eventually("the request arrives", () => received.some(({ event }) => event === "requestReceived"));
  await eventually("the message arrives, too", () => received.some(({ event }) => event === "receiveMessage"));
  expect(received.map(({ event }) => event).sort()).toEqual(["receiveMessage", "requestReceived"]);
  expect(await unknown()).toEqual({ user: before["user"]! + 2, chat: before["chat"]! + 1 });
  socket.disconnect();
});

/** How many feed messages were not known, by the kind of their channel. */
async function unknown(): Promise<Record<string, number>> {
  const { values } = await processRegistry.getSingleMetric("parley_feed_unknown_total")!.get();
  return Object.fromEntries(values.map(({ labels, value }) => [labels["channel"] as string, value]));
}
