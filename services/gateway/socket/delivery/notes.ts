/** Delivers the notes on users' channels to their sockets. */
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

  /** Runs up to an answer, and keeps the notes that come meanwhile until the client has it: it may be from before them. */
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
    // A subscribed socket knows of all its chats; another one may hold this one from elsewhere.
    if (outcome === "new" || (outcome === "unknown" && !isSubscribed)) socket.emit("chatRemoved", { chatId: left.chatId });
  }

  /** Makes up for a lost note: tells a person's subscribed sockets of a chat they became a member of, and seats them. */
  async announceMissedJoin(membership: Membership): Promise<void> {
    const [first] = this.socketsUnawareOf(membership);
    if (first === undefined) return;
    // As it is by now: they may have been removed and added again.
    const { chat: view, membership: joined } = await call(
      this.context.broker,
      chat.view,
      { chatId: membership.chatId },
      callOptionsOf(first),
    );
    for (const socket of this.socketsUnawareOf(joined)) this.deliverNote(socket, { event: "chatChanged", data: view, joined });
  }

  /** Makes up for a lost note: tells a person's sockets that know a chat that they are no longer a member. */
  announceMissedLeave({ userId, chatId, leftSeq }: Membership & MembershipEnd): void {
    for (const socket of this.context.socketsOf(userId)) {
      if (socket.data.pendingNotes === undefined && socket.data.knownMemberships.isMember(chatId))
        this.deliverLeave(socket, { chatId, leftSeq });
    }
  }

  /** A person's subscribed sockets that were not told yet that they joined. */
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

  /** A new chat comes before any of its messages; an earlier time in it ends before that. */
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

  /** A membership ended: who sits in the room hears it in the chat's sequence, the others now. */
  private deliverLeave(socket: UserSocket, left: MembershipEnd): void {
    const room = this.context.rooms.get(left.chatId);
    if (room?.has(socket) === true) room.fetchUpTo(left.leftSeq, "ahead");
    else this.emitChatRemoved(socket, left);
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
