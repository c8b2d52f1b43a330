/** Declares what the gateway keeps for each socket: its user, from a verified credential, and what is in progress. */
import type { DefaultEventsMap, Socket } from "socket.io";
import type { ClientInfo } from "../../../core/contract/call.ts";
import type { UserNote } from "../../user-notes.ts";
import type { VerifiedSession } from "../shared/sessions.ts";
import type { ServerEvents } from "./server-events.ts";
import type { SendQueue } from "./inbound/send-queue.ts";
import type { KnownMemberships } from "./known-memberships.ts";
import type { TypingThrottle } from "./inbound/typing-throttle.ts";

export interface SocketState {
  readonly session: VerifiedSession;
  readonly client: ClientInfo;
  /** It receives all its user's chats except those in `leftChats`. */
  isSubscribed: boolean;
  /** The memberships that it knows of. Once subscribed, it receives these chats, is still paging through them, or has left them. */
  readonly knownMemberships: KnownMemberships;
  /** Chats it left with `leaveChat`. */
  readonly leftChats: Set<string>;
  /** Notes that arrived while answers were in progress. They are delivered after the last of these answers. */
  pendingNotes: { readonly notes: UserNote[]; answersInProgress: number } | undefined;
  /** Messages it sends, by chat. */
  readonly sendQueues: Map<string, SendQueue>;
  readonly typingThrottle: TypingThrottle;
}
export type UserSocket = Socket<DefaultEventsMap, ServerEvents, object, SocketState>;

/** Options of the calls made for this socket. */
export const callOptionsOf = ({ data: { session, client } }: UserSocket) => ({ meta: { user: session.user, client } });
