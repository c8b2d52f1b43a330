/** What the gateway keeps with a socket: who it is, from a verified credential, and what it has under way. */
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
  /** It hears all own chats, but those in `leftChats`. */
  isSubscribed: boolean;
  /** What it was told of its memberships. Subscribed, it hears those chats, or pages through them, or asked not to hear them. */
  readonly knownMemberships: KnownMemberships;
  /** Chats it asked not to hear. */
  readonly leftChats: Set<string>;
  /** Notes that came while answers were under way; they are heard after the last of these. */
  pendingNotes: { readonly notes: UserNote[]; answersInProgress: number } | undefined;
  /** What it sends, a queue a chat. */
  readonly sendQueues: Map<string, SendQueue>;
  readonly typingThrottle: TypingThrottle;
}
export type UserSocket = Socket<DefaultEventsMap, ServerEvents, object, SocketState>;

/** What goes with the calls this socket makes. */
export const callOptionsOf = ({ data: { session, client } }: UserSocket) => ({ meta: { user: session.user, client } });
