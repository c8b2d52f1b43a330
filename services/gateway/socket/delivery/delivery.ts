/** Delivers events to this gateway's sockets: the notes of their users, and the chats that they joined or subscribed to. */
import type { Logger, ServiceBroker } from "moleculer";
import type { Server } from "socket.io";
import { call } from "../../../../core/contract/call.ts";
import { Unavailable } from "../../../../core/errors.ts";
import type { Feed, Subscription } from "../../../../core/feed/feed.ts";
import type { Infer } from "../../../../core/contract/schema.ts";
import { fairQueue } from "../../../../core/resilience/fair-queue.ts";
import { chat, type Chat, type Membership, type SyncPosition, type Receipt, type SyncAnswer } from "../../../chat/contract.ts";
import { userChannel } from "../../../user-notes.ts";
import { chatClient } from "./chat-client.ts";
import type { EventAnswer } from "../event-answer.ts";
import { receiptsByChat } from "../rooms/delivery-receipts.ts";
import { callOptionsOf, type UserSocket } from "../socket-state.ts";
import { Rooms, waitForConfirmation } from "../rooms/rooms.ts";
import type { SequencePosition } from "../rooms/change-run.ts";
import type { MembershipStart } from "../known-memberships.ts";
import { NoteDelivery } from "./notes.ts";

/** Delay before a socket that could not enter a room tries again. */
const retryMs = 500;
/**
 * Answers to `subscribe` and `sync` are expensive. Few are computed at once, so that clients which stayed connected are served while
 * all others reconnect.
 */
const syncQueueOptions = { name: "catching_up", concurrency: 16, maxQueued: 10_000, maxWaitMs: 50_000 };

type ViewParams = Infer<typeof chat.view.params>;
type SyncParams = Infer<typeof chat.sync.params>;

const noSockets: ReadonlySet<UserSocket> = new Set();

interface ConnectedUser {
  readonly sockets: Set<UserSocket>;
  readonly subscription: Promise<Subscription>;
}

export class LiveDelivery {
  readonly rooms: Rooms;
  readonly notes: NoteDelivery;
  private readonly broker: ServiceBroker;
  private readonly feed: Feed;
  private readonly syncQueue = fairQueue(syncQueueOptions);
  private readonly users = new Map<string, ConnectedUser>();

  constructor(broker: ServiceBroker, io: Server, feed: Feed, log: Logger) {
    this.broker = broker;
    this.feed = feed;
    this.rooms = new Rooms({
      io,
      log,
      feed,
      ...chatClient(broker),
      onUnsubscribed: (socket, left) => this.notes.emitChatRemoved(socket as UserSocket, left),
    });
    this.notes = new NoteDelivery({
      broker,
      rooms: this.rooms,
      socketsOf: (userId) => this.users.get(userId)?.sockets ?? noSockets,
      enterRoom: (socket, membership, from) => this.enterRoom(socket, membership, from),
    });
  }

  /** Adds a connected socket, which receives its user's notes from now on. */
  addSocket(socket: UserSocket): void {
    const userId = socket.data.session.user.id;
    const user = this.users.get(userId) ?? {
      sockets: new Set(),
      subscription: this.feed.subscribe([userChannel(userId)], (note) => this.notes.onNote(userId, note)),
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
      void user.subscription.then((subscription) => subscription.stop());
    }
    // Its Socket.IO rooms are not enough: its subscription may be queued, or it may be ahead of a room.
    for (const chatId of socket.data.knownMemberships.chatIds) this.rooms.get(chatId)?.unsubscribe(socket);
  }

  /** Subscribes the socket to one chat. @throws Forbidden  not a member */
  joinChat(socket: UserSocket, params: ViewParams): Promise<EventAnswer<Chat>> {
    const { chatId } = params;
    return this.notes.defer(socket, async () => {
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

  /** Unsubscribes the socket from one chat. @throws Forbidden  not a member */
  async leaveChat(socket: UserSocket, params: ViewParams): Promise<EventAnswer<Chat>> {
    const { chatId } = params;
    const { chat: view } = await call(this.broker, chat.view, params, callOptionsOf(socket));
    this.rooms.get(chatId)?.unsubscribe(socket);
    socket.data.leftChats.add(chatId);
    return { data: view };
  }

  /**
   * Answers the changes after the client's position, and subscribes the socket to all its user's chats; to those in `more` once their
   * last page is answered.
   */
  subscribe(socket: UserSocket, params: SyncParams): Promise<EventAnswer<SyncAnswer>> {
    const { data } = socket;
    const userId = data.session.user.id;
    data.leftChats.clear(); // before waiting, so that chats left from now on stay left
    return this.runInSyncQueue(socket, async () => {
      const user = this.users.get(userId);
      if (user !== undefined) await waitForConfirmation(this.feed, user.subscription);
      const memberships = await call(this.broker, chat.memberships, { userId });
      const release = await this.rooms.retain(memberships.map(({ chatId }) => chatId));
      try {
        const { answer, positions } = await call(this.broker, chat.sync, params, callOptionsOf(socket));
        return {
          data: answer,
          onAcknowledged: () => {
            data.isSubscribed = true;
            // Including those in `more`, which the client fetches itself.
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

  /** Answers the changes after the client's position. A subscribed socket also subscribes to the chats whose last page this is. */
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

  /** @throws Unavailable  the queue is full, or the socket has disconnected meanwhile */
  private runInSyncQueue<T>(socket: UserSocket, answer: () => Promise<EventAnswer<T>>): Promise<EventAnswer<T>> {
    return this.syncQueue.run(socket.data.session.user.id, () => {
      if (!socket.connected) throw new Unavailable();
      return this.notes.defer(socket, answer);
    });
  }

  /** Records a membership contained in an answer. */
  private recordMembership(socket: UserSocket, membership: MembershipStart): void {
    // The subscription belongs to an earlier membership, whose end the answer already shows.
    if (socket.data.knownMemberships.recordJoin(membership) === "again") this.rooms.get(membership.chatId)?.unsubscribe(socket);
  }

  /** Subscribes a socket to the chats of an answer, each from the position that the answer ends at. */
  private enterRooms(socket: UserSocket, positions: readonly SyncPosition[], answer: SyncAnswer): void {
    const receipts = receiptsByChat(answer);
    for (const { membership, seq, n } of positions) {
      const { chatId } = membership;
      this.recordMembership(socket, membership);
      if (!socket.data.leftChats.has(chatId)) this.enterRoom(socket, membership, { seq, n }, receipts.get(chatId));
    }
  }

  /** Subscribes a socket in a room, unless it is subscribed there already or must not be any more. */
  private enterRoom(socket: UserSocket, membership: Membership, from: SequencePosition, known?: readonly Receipt[]): void {
    const { chatId, joinedSeq } = membership;
    const isWanted = socket.connected && socket.data.knownMemberships.isMember(chatId, joinedSeq) && !socket.data.leftChats.has(chatId);
    if (!isWanted || this.rooms.get(chatId)?.has(socket) === true) return;
    const retained = this.rooms.retain([chatId]);
    // Before the room is ready, so that the room handles what arrives for this socket meanwhile.
    this.rooms.get(chatId)!.subscribe(socket, membership, from, known);
    retained.then(
      (release) => release(),
      () => void setTimeout(() => this.enterRoom(socket, membership, from, known), retryMs).unref(), // chat is unavailable
    );
  }
}
