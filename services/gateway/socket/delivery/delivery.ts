/** Who hears what on this gateway: people's own notes, and the chats their sockets joined or subscribed to. */
import type { Logger, ServiceBroker } from "moleculer";
import type { Server } from "socket.io";
import { call } from "../../../../core/contract/call.ts";
import { Unavailable } from "../../../../core/errors.ts";
import type { Feed, Subscription } from "../../../../core/feed/feed.ts";
import type { Infer } from "../../../../core/contract/schema.ts";
import { fairQueue } from "../../../../core/resilience/fair-queue.ts";
import { chat, type Chat, type Membership, type SyncPosition, type Receipt, type SyncAnswer } from "../../../chat/contract.ts";
import { userChannel, type UserNote } from "../../../user-notes.ts";
import { chatClient } from "./chat-client.ts";
import { isEmitted, type ServerEventPayloads } from "../server-events.ts";
import { receiptsByChat } from "../rooms/delivery-receipts.ts";
import { callOptionsOf, type UserSocket } from "../socket-state.ts";
import { Rooms, waitForConfirmation } from "../rooms/rooms.ts";
import type { SequencePosition } from "../rooms/change-run.ts";
import type { MembershipStart, MembershipEnd } from "../known-memberships.ts";
import { countUnknown } from "../unknown-notes.ts";

/** A socket that could not enter a room yet tries again after this. */
const retryMs = 500;
/** Answers to `subscribe` and `sync` are dear: when everybody comes back at once, those who stayed are served between them. */
const syncQueueOptions = { name: "catching_up", atOnce: 16, mostWaiting: 10_000, waitMs: 50_000 };

type ViewParams = Infer<typeof chat.view.params>;
type SyncParams = Infer<typeof chat.sync.params>;

/** An answer, and what is to happen once the client has it. */
export interface EventAnswer<T> {
  readonly data: T;
  readonly onAcknowledged?: () => void;
}

export class LiveDelivery {
  readonly rooms: Rooms;
  private readonly broker: ServiceBroker;
  private readonly feed: Feed;
  private readonly syncQueue = fairQueue(syncQueueOptions);
  private readonly users = new Map<string, { sockets: Set<UserSocket>; listening: Promise<Subscription> }>();

  constructor(broker: ServiceBroker, io: Server, feed: Feed, log: Logger) {
    this.broker = broker;
    this.feed = feed;
    this.rooms = new Rooms({
      io,
      log,
      feed,
      ...chatClient(broker),
      onUnsubscribed: (socket, left) => this.emitChatRemoved(socket as UserSocket, left),
    });
  }

  /** A person's socket came: from now on it hears their notes. */
  addSocket(socket: UserSocket): void {
    const userId = socket.data.session.user.id;
    const user = this.users.get(userId) ?? {
      sockets: new Set(),
      listening: this.feed.subscribe([userChannel(userId)], (note) => this.onNote(userId, note)),
    };
    this.users.set(userId, user);
    user.sockets.add(socket);
  }

  removeSocket(socket: UserSocket): void {
    const userId = socket.data.session.user.id;
    const user = this.users.get(userId);
    user?.sockets.delete(socket);
    if (user?.sockets.size === 0) {
      this.users.delete(userId);
      void user.listening.then((subscription) => subscription.stop());
    }
    // Not its Socket.IO rooms: it may wait to be seated, or be ahead of a room.
    for (const chatId of socket.data.knownMemberships.chatIds) this.rooms.get(chatId)?.unsubscribe(socket);
  }

  /** Hears one chat. @throws Forbidden  not a member */
  joinChat(socket: UserSocket, params: ViewParams): Promise<EventAnswer<Chat>> {
    const { chatId } = params;
    return this.deferNotes(socket, async () => {
      const release = await this.rooms.retain([chatId]);
      try {
        const { chat: view, membership } = await call(this.broker, chat.view, params, callOptionsOf(socket));
        return {
          data: view,
          onAcknowledged: () => {
            socket.data.leftChats.delete(chatId);
            this.recordMembership(socket, membership);
            this.enterRoom(socket, membership, { seq: view.lastSeq, n: view.lastN }, view.members);
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
  async leaveChat(socket: UserSocket, params: ViewParams): Promise<EventAnswer<Chat>> {
    const { chatId } = params;
    const { chat: view } = await call(this.broker, chat.view, params, callOptionsOf(socket));
    this.rooms.get(chatId)?.unsubscribe(socket);
    socket.data.leftChats.add(chatId);
    return { data: view };
  }

  /** Answers what changed since, and hears all own chats from there on; those in `more` after their last page. */
  subscribe(socket: UserSocket, params: SyncParams): Promise<EventAnswer<SyncAnswer>> {
    const { data } = socket;
    const userId = data.session.user.id;
    data.leftChats.clear(); // at once: those that are left while this waits or is answered stay unheard
    return this.runInSyncQueue(socket, async () => {
      const user = this.users.get(userId);
      if (user !== undefined) await waitForConfirmation(this.feed, user.listening);
      const memberships = await call(this.broker, chat.memberships, { userId });
      const release = await this.rooms.retain(memberships.map(({ chatId }) => chatId));
      try {
        const { answer, positions } = await call(this.broker, chat.sync, params, callOptionsOf(socket));
        return {
          data: answer,
          onAcknowledged: () => {
            data.isSubscribed = true;
            // Those in `more` too: the client asks for them itself.
            for (const membership of memberships) this.recordMembership(socket, membership);
            this.enterRooms(socket, positions, answer);
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
  sync(socket: UserSocket, params: SyncParams): Promise<EventAnswer<SyncAnswer>> {
    return this.runInSyncQueue(socket, async () => {
      const { answer, positions } = await call(this.broker, chat.sync, params, callOptionsOf(socket));
      return {
        data: answer,
        onAcknowledged: () => {
          if (socket.data.isSubscribed) this.enterRooms(socket, positions, answer);
        },
      };
    });
  }

  /** Makes up for a lost note: tells a person's subscribed sockets of a chat they became a member of, and seats them. */
  async announceMissedJoin(membership: Membership): Promise<void> {
    const [first] = this.socketsUnawareOf(membership);
    if (first === undefined) return;
    // As it is by now: they may have been removed and added again.
    const { chat: view, membership: joined } = await call(this.broker, chat.view, { chatId: membership.chatId }, callOptionsOf(first));
    for (const socket of this.socketsUnawareOf(joined)) this.deliverNote(socket, { event: "chatChanged", data: view, joined });
  }

  /** Makes up for a lost note: tells a person's sockets that know a chat that they are no longer a member. */
  announceMissedLeave({ userId, chatId, leftSeq }: Membership & MembershipEnd): void {
    for (const socket of this.users.get(userId)?.sockets ?? []) {
      if (socket.data.pendingNotes === undefined && socket.data.knownMemberships.isMember(chatId))
        this.deliverLeave(socket, { chatId, leftSeq });
    }
  }

  /** A person's subscribed sockets that were not told yet that they joined. */
  private socketsUnawareOf({ userId, ...joined }: Membership): UserSocket[] {
    return [...(this.users.get(userId)?.sockets ?? [])].filter(
      ({ data: { pendingNotes, isSubscribed, knownMemberships } }) =>
        pendingNotes === undefined && isSubscribed && knownMemberships.isNewJoin(joined),
    );
  }

  /** @throws Unavailable  too many are before it, or its socket has gone meanwhile */
  private runInSyncQueue<T>(socket: UserSocket, answer: () => Promise<EventAnswer<T>>): Promise<EventAnswer<T>> {
    return this.syncQueue.run(socket.data.session.user.id, () => {
      if (!socket.connected) throw new Unavailable();
      return this.deferNotes(socket, answer);
    });
  }

  /** Runs up to an answer, and keeps the notes that come meanwhile until the client has it: it may be from before them. */
  private async deferNotes<T>(socket: UserSocket, answer: () => Promise<EventAnswer<T>>): Promise<EventAnswer<T>> {
    const { data } = socket;
    const pending = (data.pendingNotes ??= { notes: [], answers: 0 });
    pending.answers++;
    const releaseNotes = () => {
      pending.answers--;
      if (pending.answers > 0) return;
      data.pendingNotes = undefined;
      for (const note of pending.notes) this.deliverNote(socket, note);
    };
    try {
      const { data: answerData, onAcknowledged } = await answer();
      return {
        data: answerData,
        onAcknowledged: () => {
          onAcknowledged?.();
          releaseNotes();
        },
      };
    } catch (error) {
      releaseNotes();
      throw error;
    }
  }

  /** A membership that an answer told of. */
  private recordMembership(socket: UserSocket, membership: MembershipStart): void {
    // The seat is from before it; the answer says what became of that time.
    if (socket.data.knownMemberships.recordJoin(membership) === "again") this.rooms.get(membership.chatId)?.unsubscribe(socket);
  }

  /** Seats a subscribed socket where an answer left it. */
  private enterRooms(socket: UserSocket, positions: readonly SyncPosition[], answer: SyncAnswer): void {
    const receipts = receiptsByChat(answer);
    for (const { membership, seq, n } of positions) {
      const { chatId } = membership;
      this.recordMembership(socket, membership);
      if (!socket.data.leftChats.has(chatId)) this.enterRoom(socket, membership, { seq, n }, receipts.get(chatId));
    }
  }

  /** Seats a socket, unless it sits there, or is no longer wanted there. */
  private enterRoom(socket: UserSocket, membership: Membership, from: SequencePosition, known?: readonly Receipt[]): void {
    const { chatId, joinedSeq } = membership;
    const isWanted = socket.connected && socket.data.knownMemberships.isMember(chatId, joinedSeq) && !socket.data.leftChats.has(chatId);
    if (!isWanted || this.rooms.get(chatId)?.has(socket) === true) return;
    const retained = this.rooms.retain([chatId]);
    // At once, so that whatever comes for this socket meanwhile is the room's to tell.
    this.rooms.get(chatId)!.subscribe(socket, membership, from, known);
    retained.then(
      (release) => release(),
      () => void setTimeout(() => this.enterRoom(socket, membership, from, known), retryMs).unref(), // chat is away; the socket waits for it
    );
  }

  private onNote(userId: string, note: UserNote): void {
    if (!isEmitted(note.event)) {
      countUnknown("user");
      return;
    }
    for (const socket of this.users.get(userId)?.sockets ?? []) {
      if (socket.data.pendingNotes === undefined) this.deliverNote(socket, note);
      else socket.data.pendingNotes.notes.push(note);
    }
  }

  private deliverNote(socket: UserSocket, note: UserNote): void {
    const { joined, left } = note;
    if (left !== undefined) this.deliverLeave(socket, left);
    else if (joined === undefined) deliverOtherNote(socket, note);
    else this.deliverJoin(socket, note, joined);
  }

  /** A new chat comes before any of its messages; an earlier time in it ends before that. */
  private deliverJoin(socket: UserSocket, note: UserNote, joined: MembershipStart): void {
    const { knownMemberships, leftChats, isSubscribed, session } = socket.data;
    const { chatId, joinedN, joinedSeq } = joined;
    const outcome = knownMemberships.recordJoin(joined);
    if (outcome === "known") return;
    if (outcome === "again") {
      this.rooms.get(chatId)?.unsubscribe(socket);
      socket.emit("chatRemoved", { chatId });
    }
    leftChats.delete(chatId);
    emitNote(socket, note);
    if (!isSubscribed) return;
    this.enterRoom(socket, { ...joined, userId: session.user.id, leftSeq: null }, { seq: joinedSeq - 1, n: joinedN });
  }

  /** A membership ended: who sits in the room hears it in the chat's sequence, the others now. */
  private deliverLeave(socket: UserSocket, left: MembershipEnd): void {
    const room = this.rooms.get(left.chatId);
    if (room?.has(socket) === true) room.fetchUpTo(left.leftSeq, "ahead");
    else this.emitChatRemoved(socket, left);
  }

  private emitChatRemoved(socket: UserSocket, left: MembershipEnd): void {
    const { knownMemberships, leftChats, isSubscribed } = socket.data;
    const outcome = knownMemberships.recordLeave(left);
    leftChats.delete(left.chatId);
    // A subscribed socket knows of all its chats; another one may hold this one from elsewhere.
    if (outcome === "new" || (outcome === "unknown" && !isSubscribed)) socket.emit("chatRemoved", { chatId: left.chatId });
  }
}

/** One's own view of a chat may have been told before one was removed, and come after it. */
function deliverOtherNote(socket: UserSocket, note: UserNote): void {
  const isOfFormerChat = note.event === "chatChanged" && socket.data.knownMemberships.hasLeft(note.data._id);
  if (!isOfFormerChat) emitNote(socket, note);
}

/** A note's event and data belong together, which Socket.IO's types can't follow. */
const emitNote = (socket: Emitting, { event, data }: UserNote): void => void socket.emit(event, data);
interface Emitting {
  emit(event: keyof ServerEventPayloads, data: ServerEventPayloads[keyof ServerEventPayloads]): unknown;
}
