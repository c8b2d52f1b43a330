/** Who hears what on this gateway: people's own notes, and the chats their sockets joined or subscribed to. */
import type { Logger, ServiceBroker } from "moleculer";
import type { Server } from "socket.io";
import { call } from "../../../core/contract/call.ts";
import { Unavailable } from "../../../core/errors.ts";
import type { Feed, Subscription } from "../../../core/feed/feed.ts";
import type { Infer } from "../../../core/contract/schema.ts";
import { fairQueue } from "../../../core/resilience/fair-queue.ts";
import { chat, type Chat, type Membership, type SyncPosition, type Receipt, type SyncAnswer } from "../../chat/contract.ts";
import { userChannel, type UserNote } from "../../user-notes.ts";
import { asking } from "./asking.ts";
import { isEmitted, type Emitted } from "./emitted.ts";
import { marksIn } from "./marks.ts";
import { metaOf, type PersonSocket } from "./person.ts";
import { Rooms, soon } from "./rooms.ts";
import type { Place } from "./run.ts";
import type { Joined, Left } from "./told.ts";
import { countUnknown } from "./unknown-notes.ts";

/** A socket that could not enter a room yet tries again after this. */
const retryMs = 500;
/** Answers to `subscribe` and `sync` are dear: when everybody comes back at once, those who stayed are served between them. */
const catchingUp = { name: "catching_up", atOnce: 16, mostWaiting: 10_000, waitMs: 50_000 };

type ViewParams = Infer<typeof chat.view.params>;
type SyncParams = Infer<typeof chat.sync.params>;

/** An answer, and what is to happen once the client has it. */
export interface Answer<T> {
  readonly data: T;
  readonly afterwards?: () => void;
}

export class Live {
  readonly rooms: Rooms;
  private readonly broker: ServiceBroker;
  private readonly feed: Feed;
  private readonly turns = fairQueue(catchingUp);
  private readonly people = new Map<string, { sockets: Set<PersonSocket>; listening: Promise<Subscription> }>();

  constructor(broker: ServiceBroker, io: Server, feed: Feed, log: Logger) {
    this.broker = broker;
    this.feed = feed;
    this.rooms = new Rooms({
      io,
      log,
      feed,
      ...asking(broker),
      onPutOut: (socket, left) => this.tellLeft(socket as PersonSocket, left),
    });
  }

  /** A person's socket came: from now on it hears their notes. */
  add(socket: PersonSocket): void {
    const userId = socket.data.session.user.id;
    const person = this.people.get(userId) ?? {
      sockets: new Set(),
      listening: this.feed.subscribe([userChannel(userId)], (note) => this.hear(userId, note)),
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
    // Not its Socket.IO rooms: it may wait to be seated, or be ahead of a room.
    for (const chatId of socket.data.told.chatIds) this.rooms.get(chatId)?.detach(socket);
  }

  /** Hears one chat. @throws Forbidden  not a member */
  join(socket: PersonSocket, params: ViewParams): Promise<Answer<Chat>> {
    const { chatId } = params;
    return this.holdingNotes(socket, async () => {
      const release = await this.rooms.hold([chatId]);
      try {
        const { chat: view, membership } = await call(this.broker, chat.view, params, metaOf(socket));
        return {
          data: view,
          afterwards: () => {
            socket.data.unheard.delete(chatId);
            this.learn(socket, membership);
            this.enter(socket, membership, { seq: view.lastSeq, n: view.lastN }, view.members);
            release();
          },
        };
      } catch (error) {
        release();
        throw error;
      }
    });
  }

  /** Hears one chat no more. @throws Forbidden  not a member */
  async leave(socket: PersonSocket, params: ViewParams): Promise<Answer<Chat>> {
    const { chatId } = params;
    const { chat: view } = await call(this.broker, chat.view, params, metaOf(socket));
    this.rooms.get(chatId)?.detach(socket);
    socket.data.unheard.add(chatId);
    return { data: view };
  }

  /** Answers what changed since, and hears all own chats from there on; those in `more` after their last page. */
  subscribe(socket: PersonSocket, params: SyncParams): Promise<Answer<SyncAnswer>> {
    const { data } = socket;
    const userId = data.session.user.id;
    data.unheard.clear(); // at once: those that are left while this waits or is answered stay unheard
    return this.inTurn(socket, async () => {
      const person = this.people.get(userId);
      if (person !== undefined) await soon(this.feed, person.listening);
      const memberships = await call(this.broker, chat.memberships, { userId });
      const release = await this.rooms.hold(memberships.map(({ chatId }) => chatId));
      try {
        const { answer, positions } = await call(this.broker, chat.sync, params, metaOf(socket));
        return {
          data: answer,
          afterwards: () => {
            data.isSubscribed = true;
            // Those in `more` too: the client asks for them itself.
            for (const membership of memberships) this.learn(socket, membership);
            this.enterWhole(socket, positions, answer);
            release();
          },
        };
      } catch (error) {
        release();
        throw error;
      }
    });
  }

  /** Answers what changed since; a subscribed socket hears the chats that the answer has whole. */
  sync(socket: PersonSocket, params: SyncParams): Promise<Answer<SyncAnswer>> {
    return this.inTurn(socket, async () => {
      const { answer, positions } = await call(this.broker, chat.sync, params, metaOf(socket));
      return {
        data: answer,
        afterwards: () => {
          if (socket.data.isSubscribed) this.enterWhole(socket, positions, answer);
        },
      };
    });
  }

  /** Makes up for a lost note: tells a person's subscribed sockets of a chat they became a member of, and seats them. */
  async welcome(membership: Membership): Promise<void> {
    const [first] = this.unaware(membership);
    if (first === undefined) return;
    // As it is by now: they may have been removed and added again.
    const { chat: view, membership: joined } = await call(this.broker, chat.view, { chatId: membership.chatId }, metaOf(first));
    for (const socket of this.unaware(joined)) this.tell(socket, { event: "chatChanged", data: view, joined });
  }

  /** Makes up for a lost note: tells a person's sockets that know a chat that they are no longer a member. */
  dismiss({ userId, chatId, leftSeq }: Membership & Left): void {
    for (const socket of this.people.get(userId)?.sockets ?? []) {
      if (socket.data.held === undefined && socket.data.told.isMember(chatId)) this.part(socket, { chatId, leftSeq });
    }
  }

  /** A person's subscribed sockets that were not told yet that they joined. */
  private unaware({ userId, ...joined }: Membership): PersonSocket[] {
    return [...(this.people.get(userId)?.sockets ?? [])].filter(
      ({ data: { held, isSubscribed, told } }) => held === undefined && isSubscribed && told.isNews(joined),
    );
  }

  /** @throws Unavailable  too many are before it, or its socket has gone meanwhile */
  private inTurn<T>(socket: PersonSocket, answer: () => Promise<Answer<T>>): Promise<Answer<T>> {
    return this.turns.run(socket.data.session.user.id, () => {
      if (!socket.connected) throw new Unavailable();
      return this.holdingNotes(socket, answer);
    });
  }

  /** Runs up to an answer, and keeps the notes that come meanwhile until the client has it: it may be from before them. */
  private async holdingNotes<T>(socket: PersonSocket, answer: () => Promise<Answer<T>>): Promise<Answer<T>> {
    const { data } = socket;
    const held = (data.held ??= { notes: [], answers: 0 });
    held.answers++;
    const settle = () => {
      held.answers--;
      if (held.answers > 0) return;
      data.held = undefined;
      for (const note of held.notes) this.tell(socket, note);
    };
    try {
      const { data: answered, afterwards } = await answer();
      return {
        data: answered,
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

  /** A membership that an answer told of. */
  private learn(socket: PersonSocket, membership: Joined): void {
    // The seat is from before it; the answer says what became of that time.
    if (socket.data.told.join(membership) === "again") this.rooms.get(membership.chatId)?.detach(socket);
  }

  /** Seats a subscribed socket where an answer left it. */
  private enterWhole(socket: PersonSocket, positions: readonly SyncPosition[], answer: SyncAnswer): void {
    const marks = marksIn(answer);
    for (const { membership, seq, n } of positions) {
      const { chatId } = membership;
      this.learn(socket, membership);
      if (!socket.data.unheard.has(chatId)) this.enter(socket, membership, { seq, n }, marks.get(chatId));
    }
  }

  /** Seats a socket, unless it sits there, or is no longer wanted there. */
  private enter(socket: PersonSocket, membership: Membership, from: Place, known?: readonly Receipt[]): void {
    const { chatId, joinedSeq } = membership;
    const isWanted = socket.connected && socket.data.told.isMember(chatId, joinedSeq) && !socket.data.unheard.has(chatId);
    if (!isWanted || this.rooms.get(chatId)?.has(socket) === true) return;
    const held = this.rooms.hold([chatId]);
    // At once, so that whatever comes for this socket meanwhile is the room's to tell.
    this.rooms.get(chatId)!.attach(socket, membership, from, known);
    held.then(
      (release) => release(),
      () => void setTimeout(() => this.enter(socket, membership, from, known), retryMs).unref(), // chat is away; the socket waits for it
    );
  }

  private hear(userId: string, note: UserNote): void {
    if (!isEmitted(note.event)) {
      countUnknown("user");
      return;
    }
    for (const socket of this.people.get(userId)?.sockets ?? []) {
      if (socket.data.held === undefined) this.tell(socket, note);
      else socket.data.held.notes.push(note);
    }
  }

  private tell(socket: PersonSocket, note: UserNote): void {
    const { joined, left } = note;
    if (left !== undefined) this.part(socket, left);
    else if (joined === undefined) tellOther(socket, note);
    else this.tellJoined(socket, note, joined);
  }

  /** A new chat comes before any of its messages; an earlier time in it ends before that. */
  private tellJoined(socket: PersonSocket, note: UserNote, joined: Joined): void {
    const { told, unheard, isSubscribed, session } = socket.data;
    const { chatId, joinedN, joinedSeq } = joined;
    const news = told.join(joined);
    if (news === "known") return;
    if (news === "again") {
      this.rooms.get(chatId)?.detach(socket);
      socket.emit("chatRemoved", { chatId });
    }
    unheard.delete(chatId);
    emitNote(socket, note);
    if (!isSubscribed) return;
    this.enter(socket, { ...joined, userId: session.user.id, leftSeq: null }, { seq: joinedSeq - 1, n: joinedN });
  }

  /** A membership ended: who sits in the room hears it in the chat's sequence, the others now. */
  private part(socket: PersonSocket, left: Left): void {
    const room = this.rooms.get(left.chatId);
    if (room?.has(socket) === true) room.reach(left.leftSeq, "ahead");
    else this.tellLeft(socket, left);
  }

  private tellLeft(socket: PersonSocket, left: Left): void {
    const { told, unheard, isSubscribed } = socket.data;
    const news = told.leave(left);
    unheard.delete(left.chatId);
    // A subscribed socket knows of all its chats; another one may hold this one from elsewhere.
    if (news === "new" || (news === "unknown" && !isSubscribed)) socket.emit("chatRemoved", { chatId: left.chatId });
  }
}

/** One's own view of a chat may have been told before one was removed, and come after it. */
function tellOther(socket: PersonSocket, note: UserNote): void {
  const isOfFormerChat = note.event === "chatChanged" && socket.data.told.hasLeft(note.data._id);
  if (!isOfFormerChat) emitNote(socket, note);
}

/** A note's event and data belong together, which Socket.IO's types can't follow. */
const emitNote = (socket: Emitting, { event, data }: UserNote): void => void socket.emit(event, data);
interface Emitting {
  emit(event: keyof Emitted, data: Emitted[keyof Emitted]): unknown;
}
