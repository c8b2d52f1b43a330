/** What the gateway keeps with a socket: who it is, from a verified credential, and what it has under way. */
import type { DefaultEventsMap, Socket } from "socket.io";
import type { ClientInfo } from "../../../core/contract/call.ts";
import type { UserNote } from "../../user-notes.ts";
import type { Session } from "../sessions.ts";
import type { ServerEvents } from "./emitted.ts";
import type { Sends } from "./sends.ts";
import type { Told } from "./told.ts";
import type { Typed } from "./typed.ts";

export interface Person {
  readonly session: Session;
  readonly client: ClientInfo;
  /** It hears all own chats, but those in `unheard`. */
  isSubscribed: boolean;
  /** What it was told of its memberships. Subscribed, it hears those chats, or pages through them, or asked not to hear them. */
  readonly told: Told;
  /** Chats it asked not to hear. */
  readonly unheard: Set<string>;
  /** Notes that came while answers were under way; they are heard after the last of these. */
  held: { readonly notes: UserNote[]; answers: number } | undefined;
  /** What it sends, a queue a chat. */
  readonly sends: Map<string, Sends>;
  readonly typed: Typed;
}
export type PersonSocket = Socket<DefaultEventsMap, ServerEvents, object, Person>;

/** What goes with the calls this socket makes. */
export const metaOf = ({ data: { session, client } }: PersonSocket) => ({ meta: { user: session.user, client } });
