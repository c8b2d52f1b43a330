/** Delivers the notes on users' channels to their sockets, and makes up for lost ones. */
import type { ServiceBroker } from "moleculer";
import { call } from "../../../../core/contract/call.ts";
import { chat, type Membership } from "../../../chat/contract.ts";
import type { UserNote } from "../../../user-notes.ts";
import type { EventAnswer } from "../event-answer.ts";
import type { MembershipEnd, MembershipStart } from "../known-memberships.ts";
import type { SequencePosition } from "../rooms/change-run.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { isServerEvent, type ServerEventPayloads } from "../server-events.ts";
import { callOptionsOf, type UserSocket } from "../socket-state.ts";
import { countUnknown } from "../unknown-notes.ts";

interface NoteDeliveryContext {
  readonly broker: ServiceBroker;
  readonly rooms: Rooms;
  readonly socketsOf: (userId: string) => ReadonlySet<UserSocket>;
  readonly enterRoom: (socket: UserSocket, membership: Membership, from: SequencePosition) => void;
}

export class NoteDelivery {
  private readonly context: NoteDeliveryContext;

  constructor(context: NoteDeliveryContext) {
    this.context = context;
  }

  /** Emits a note to the user's sockets, or keeps it for those with an answer in progress. */
  onNote(userId: string, note: UserNote): void {
    if (!isServerEvent(note.event)) {
      countUnknown("user");
      return;
    }
    for (const socket of this.context.socketsOf(userId)) {
      if (socket.data.pendingNotes === undefined) this.deliverNote(socket, note);
      else socket.data.pendingNotes.notes.push(note);
    }
  }

  /** Runs `answer`, and keeps the notes that arrive until the client has the answer, because it may be older than they are. */
  async defer<T>(socket: UserSocket, answer: () => Promise<EventAnswer<T>>): Promise<EventAnswer<T>> {
    const { data } = socket;
    const pending = (data.pendingNotes ??= { notes: [], answersInProgress: 0 });
    pending.answersInProgress++;
    const releaseNotes = () => {
      pending.answersInProgress--;
      if (pending.answersInProgress > 0) return;
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

  emitChatRemoved(socket: UserSocket, left: MembershipEnd): void {
    const { knownMemberships, leftChats, isSubscribed } = socket.data;
    const outcome = knownMemberships.recordLeave(left);
    leftChats.delete(left.chatId);
    // A subscribed socket knows all its chats. The client of any other socket may know this one from elsewhere, for example over HTTP.
    if (outcome === "new" || (outcome === "unknown" && !isSubscribed)) socket.emit("chatRemoved", { chatId: left.chatId });
  }

  /**
   * Makes up for a lost note: announces a membership to the user's subscribed sockets that do not know of it, and subscribes them.
   */
  async announceMissedJoin(membership: Membership): Promise<void> {
    const [first] = this.socketsUnawareOf(membership);
    if (first === undefined) return;
    // Read again, because the user may have been removed and added again.
    const { chat: view, membership: joined } = await call(
      this.context.broker,
      chat.view,
      { chatId: membership.chatId },
      callOptionsOf(first),
    );
    for (const socket of this.socketsUnawareOf(joined)) this.deliverNote(socket, { event: "chatChanged", data: view, joined });
  }

  /** Makes up for a lost note: announces the end of a membership to the user's sockets that still know the user as a member. */
  announceMissedLeave({ userId, chatId, leftSeq }: Membership & MembershipEnd): void {
    for (const socket of this.context.socketsOf(userId)) {
      if (socket.data.pendingNotes === undefined && socket.data.knownMemberships.isMember(chatId))
        this.deliverLeave(socket, { chatId, leftSeq });
    }
  }

  /** The user's subscribed sockets that do not know of this join yet. */
  private socketsUnawareOf({ userId, ...joined }: Membership): UserSocket[] {
    return [...this.context.socketsOf(userId)].filter(
      ({ data: { pendingNotes, isSubscribed, knownMemberships } }) =>
        pendingNotes === undefined && isSubscribed && knownMemberships.isNewJoin(joined),
    );
  }

  private deliverNote(socket: UserSocket, note: UserNote): void {
    const { joined, left } = note;
    if (left !== undefined) this.deliverLeave(socket, left);
    else if (joined === undefined) deliverOtherNote(socket, note);
    else this.deliverJoin(socket, note, joined);
  }

  /** Announces a chat before any of its messages. The end of an earlier membership, if it was not announced, comes first. */
  private deliverJoin(socket: UserSocket, note: UserNote, joined: MembershipStart): void {
    const { knownMemberships, leftChats, isSubscribed, session } = socket.data;
    const { chatId, joinedN, joinedSeq } = joined;
    const outcome = knownMemberships.recordJoin(joined);
    if (outcome === "known") return;
    if (outcome === "again") {
      this.context.rooms.get(chatId)?.unsubscribe(socket);
      socket.emit("chatRemoved", { chatId });
    }
    leftChats.delete(chatId);
    emitNote(socket, note);
    if (!isSubscribed) return;
    this.context.enterRoom(socket, { ...joined, userId: session.user.id, leftSeq: null }, { seq: joinedSeq - 1, n: joinedN });
  }

  /** A socket in the chat's room receives the end of its membership in the chat's sequence, any other socket now. */
  private deliverLeave(socket: UserSocket, left: MembershipEnd): void {
    const room = this.context.rooms.get(left.chatId);
    if (room?.has(socket) === true) room.fetchUpTo(left.leftSeq, "ahead");
    else this.emitChatRemoved(socket, left);
  }
}

/** Drops a view of a chat that the user has left: it may have been published before the removal, and arrive after it. */
function deliverOtherNote(socket: UserSocket, note: UserNote): void {
  const isOfFormerChat = note.event === "chatChanged" && socket.data.knownMemberships.hasLeft(note.data._id);
  if (!isOfFormerChat) emitNote(socket, note);
}

/** A note's event and data match, which Socket.IO's types can't express. */
const emitNote = (socket: Emitting, { event, data }: UserNote): void => void socket.emit(event, data);
interface Emitting {
  emit(event: keyof ServerEventPayloads, data: ServerEventPayloads[keyof ServerEventPayloads]): unknown;
}
