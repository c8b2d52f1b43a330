/** Who hears what on this gateway: people's own notes, and the chats their sockets joined or subscribed to. */
import type { Logger, ServiceBroker } from "moleculer";
import type { Server } from "socket.io";
import { call } from "../../../core/call.ts";
import { userChannel, type UserNote } from "../../../core/feed/channels.ts";
import { codeOf } from "../../../core/errors.ts";
import type { Feed, Subscription } from "../../../core/feed/feed.ts";
import { chat, type Chat, type Membership, type Position, type SyncAnswer } from "../../chat/contract.ts";
import { metaOf, type Person, type PersonSocket } from "./person.ts";
import { chatOf, type Place } from "./room.ts";
import { Rooms, soon } from "./rooms.ts";

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

  constructor(broker: ServiceBroker, io: Server, feed: Feed, log: Logger) {
    this.broker = broker;
    this.feed = feed;
    this.rooms = new Rooms({
      io,
      log,
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
      socket.data.unheard.delete(chatId);
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
    socket.data.unheard.add(chatId);
    return { data: view };
  }

  /** Answers what changed since, and hears all own chats from there on; those in `more` after their last page. */
  async subscribe(socket: PersonSocket, since: Record<string, number>): Promise<Answer<SyncAnswer>> {
    const { data } = socket;
    const userId = data.session.user.id;
    const held: UserNote[] = [];
    data.held = held;
    let release: (() => void) | undefined;
    const settle = () => {
      release?.();
      if (data.held === held) data.held = undefined;
      for (const note of held) this.tell(socket, note);
    };
    try {
      const person = this.people.get(userId);
      if (person !== undefined) await soon(person.listening);
      const memberships = await call(this.broker, chat.memberships, { userId });
      release = await this.rooms.hold(memberships.map(({ chatId }) => chatId));
      const { answer, positions } = await call(this.broker, chat.sync, { since }, metaOf(socket));
      return {
        data: answer,
        afterwards: () => {
          data.known ??= new Map();
          // Those in `more` too: the client asks for them itself.
          for (const membership of memberships) learn(data, membership);
          for (const { joined } of held) if (joined !== undefined && isIn(answer, joined.chatId)) learn(data, joined);
          this.enterWhole(socket, positions);
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
    return { data: answer, afterwards: () => this.enterWhole(socket, positions) };
  }

  /** Makes up for a lost note: tells a person's subscribed sockets of a chat they became a member of, and seats them. */
  async welcome(membership: Membership): Promise<void> {
    const [first] = this.unaware(membership);
    if (first === undefined) return;
    const { chat: view } = await call(this.broker, chat.view, { chatId: membership.chatId }, metaOf(first));
    for (const socket of this.unaware(membership)) this.tell(socket, { event: "chatChanged", data: view, joined: membership });
  }

  /** Seats all of a person's subscribed sockets in a chat they became a member of. */
  private enterAll(membership: Membership): void {
    for (const socket of this.unaware(membership)) this.enterFromStart(socket, membership);
  }

  /** A person's subscribed sockets that were not told yet that they joined. */
  private unaware({ userId, ...joined }: Membership): PersonSocket[] {
    return [...(this.people.get(userId)?.sockets ?? [])].filter(({ data }) => data.held === undefined && isNews(data, joined));
  }

  /** Seats a subscribed socket where an answer left it. */
  private enterWhole(socket: PersonSocket, positions: readonly Position[]): void {
    const { known, unheard } = socket.data;
    if (known === undefined) return;
    for (const { membership, seq, n } of positions) {
      learn(socket.data, membership);
      const { chatId } = membership;
      const isSeated = this.rooms.get(chatId)?.has(socket) === true;
      if (!isSeated && !unheard.has(chatId)) void this.enter(socket, membership, { seq, n });
    }
  }

  private enterFromStart(socket: PersonSocket, membership: Membership): void {
    learn(socket.data, membership);
    void this.enter(socket, membership, { seq: membership.joinedSeq - 1, n: membership.joinedN });
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
    if (joined === undefined || !isNews(socket.data, joined)) return;
    this.enterFromStart(socket, { ...joined, userId: socket.data.session.user.id, leftSeq: null });
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

type Joined = NonNullable<UserNote["joined"]>;

/** Whether a subscribed socket was not told yet of joining this chat (again). */
const isNews = ({ known }: Person, { chatId, joinedSeq }: Pick<Joined, "chatId" | "joinedSeq">): boolean =>
  known !== undefined && joinedSeq > (known.get(chatId) ?? 0);

function learn({ known }: Person, { chatId, joinedSeq }: Pick<Joined, "chatId" | "joinedSeq">): void {
  known?.set(chatId, Math.max(joinedSeq, known.get(chatId) ?? 0));
}

const isIn = ({ seq, more }: SyncAnswer, chatId: string): boolean => Object.hasOwn(seq, chatId) || more.includes(chatId);
