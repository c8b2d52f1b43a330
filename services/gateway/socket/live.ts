/** Who hears what on this gateway: people's own notes, and the chats their sockets joined or subscribed to. */
import type { ServiceBroker } from "moleculer";
import type { Server } from "socket.io";
import { call } from "../../../core/call.ts";
import { userChannel, type UserNote } from "../../../core/feed/channels.ts";
import { codeOf } from "../../../core/errors.ts";
import type { Feed, Subscription } from "../../../core/feed/feed.ts";
import { chat, type Chat, type Membership, type SyncAnswer } from "../../chat/contract.ts";
import { metaOf, type PersonSocket } from "./person.ts";
import { chatOf, type Place } from "./room.ts";
import { Rooms } from "./rooms.ts";

/** Heads asked for in one call. */
const headsAtOnce = 1000;
/** A socket that could not enter a room yet tries again after this. */
const retryMs = 500;

/** An answer, and what is to happen once the client has it. */
export interface Answer<T> {
  readonly data: T;
  readonly afterwards?: () => void;
}

export class Live {
  readonly rooms: Rooms;
  private readonly broker: ServiceBroker;
  private readonly feed: Feed;
  private readonly people = new Map<string, { sockets: Set<PersonSocket>; listening: Promise<Subscription> }>();

  constructor(broker: ServiceBroker, io: Server, feed: Feed) {
    this.broker = broker;
    this.feed = feed;
    this.rooms = new Rooms({
      io,
      feed,
      fetchChanges: (chatId, since) => this.changes(chatId, since),
      fetchHeads: async (chatIds) => {
        const pages = Array.from({ length: Math.ceil(chatIds.length / headsAtOnce) }, (_, page) =>
          chatIds.slice(page * headsAtOnce, (page + 1) * headsAtOnce),
        );
        return (await Promise.all(pages.map((page) => call(broker, chat.heads, { chatIds: page })))).flat();
      },
      onJoined: (membership) => this.enterAll(membership),
    });
  }

  /** A person's socket came: from now on it hears their notes. */
  add(socket: PersonSocket): void {
    const userId = socket.data.session.user.id;
    const person = this.people.get(userId) ?? {
      sockets: new Set(),
      listening: this.feed.listen([userChannel(userId)], (note: UserNote) => this.hear(userId, note)),
    };
    this.people.set(userId, person);
    person.sockets.add(socket);
  }

  remove(socket: PersonSocket): void {
    const userId = socket.data.session.user.id;
    const person = this.people.get(userId);
    person?.sockets.delete(socket);
    if (person?.sockets.size === 0) {
      this.people.delete(userId);
      void person.listening.then((subscription) => subscription.stop());
    }
    for (const name of socket.rooms) this.rooms.get(chatOf(name) ?? "")?.detach(socket);
  }

  /** Hears one chat. @throws Forbidden  not a member */
  async join(socket: PersonSocket, chatId: string): Promise<Answer<Chat>> {
    const release = await this.rooms.hold([chatId]);
    try {
      const { chat: view, membership } = await call(this.broker, chat.view, { chatId }, metaOf(socket));
      const place = { seq: view.lastSeq, n: view.lastN };
      return { data: view, afterwards: () => void this.enter(socket, membership, place).finally(release) };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Hears one chat no more. @throws Forbidden  not a member */
  async leave(socket: PersonSocket, chatId: string): Promise<Answer<Chat>> {
    const { chat: view } = await call(this.broker, chat.view, { chatId }, metaOf(socket));
    this.rooms.get(chatId)?.detach(socket);
    return { data: view };
  }

  /** Answers what changed since, and hears all own chats from there on; those in `more` after their last page. */
  async subscribe(socket: PersonSocket, since: Record<string, number>): Promise<Answer<SyncAnswer>> {
    const { data: person } = socket;
    const userId = person.session.user.id;
    const held: UserNote[] = [];
    person.isSubscribed = true;
    person.held = held;
    const hearHeld = () => {
      if (person.held === held) person.held = undefined;
      for (const note of held) this.tell(socket, note);
    };
    let release: (() => void) | undefined;
    const settle = () => {
      release?.();
      hearHeld();
    };
    try {
      await this.people.get(userId)?.listening;
      const memberships = await call(this.broker, chat.memberships, { userId });
      release = await this.rooms.hold(memberships.map(({ chatId }) => chatId));
      const { data, afterwards } = await this.sync(socket, since);
      return {
        data,
        afterwards: () => {
          afterwards?.();
          settle();
        },
      };
    } catch (error) {
      settle();
      throw error;
    }
  }

  /** Answers what changed since; a subscribed socket hears the chats that the answer has whole. */
  async sync(socket: PersonSocket, since: Record<string, number>): Promise<Answer<SyncAnswer>> {
    const { answer, positions } = await call(this.broker, chat.sync, { since }, metaOf(socket));
    if (!socket.data.isSubscribed) return { data: answer };
    return {
      data: answer,
      afterwards: () => {
        for (const { membership, seq, n } of positions) void this.enter(socket, membership, { seq, n });
      },
    };
  }

  /** Everyone here who subscribed and does not hear this chat of theirs yet. */
  unseated({ chatId, userId }: Pick<Membership, "chatId" | "userId">): PersonSocket[] {
    const room = this.rooms.get(chatId);
    return [...(this.people.get(userId)?.sockets ?? [])]
      .filter(({ data }) => data.isSubscribed)
      .filter((socket) => room?.has(socket) !== true);
  }

  /** People here with a subscribed socket. */
  subscribers(): string[] {
    return [...this.people].flatMap(([userId, { sockets }]) => ([...sockets].some(({ data }) => data.isSubscribed) ? [userId] : []));
  }

  /** Makes up for a lost note: tells a person's subscribed sockets of a chat they became a member of, and seats them. */
  async welcome(membership: Membership): Promise<void> {
    const sockets = this.unseated(membership);
    const [first] = sockets;
    if (first === undefined) return;
    const { chat: view } = await call(this.broker, chat.view, { chatId: membership.chatId }, metaOf(first));
    for (const socket of sockets) this.tell(socket, { event: "chatChanged", data: view, joined: membership });
  }

  /** Seats all of a person's subscribed sockets in a chat they became a member of. */
  enterAll(membership: Membership): void {
    const from = { seq: membership.joinedSeq - 1, n: membership.joinedN };
    for (const socket of this.unseated(membership)) void this.enter(socket, membership, from);
  }

  private async enter(socket: PersonSocket, membership: Membership, from: Place): Promise<void> {
    while (socket.connected) {
      try {
        const release = await this.rooms.hold([membership.chatId]);
        this.rooms.get(membership.chatId)?.attach(socket, membership, from);
        release();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, retryMs)); // chat is away; the socket waits for it
      }
    }
  }

  private hear(userId: string, note: UserNote): void {
    for (const socket of this.people.get(userId)?.sockets ?? []) {
      if (socket.data.held === undefined) this.tell(socket, note);
      else socket.data.held.push(note);
    }
  }

  private tell(socket: PersonSocket, { event, data, joined }: UserNote): void {
    socket.emit(event, data);
    if (joined === undefined || !socket.data.isSubscribed) return;
    const { chatId, joinedN, joinedSeq } = joined;
    const membership = { chatId, userId: socket.data.session.user.id, joinedN, joinedSeq, leftSeq: null };
    void this.enter(socket, membership, { seq: joinedSeq - 1, n: joinedN });
  }

  private async changes(chatId: string, since: number) {
    try {
      return await call(this.broker, chat.changes, { chatId, since });
    } catch (error) {
      if (codeOf(error) === "FORBIDDEN") return undefined;
      throw error;
    }
  }
}
