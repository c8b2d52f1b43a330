/** What the gateway keeps with a socket: who it is, from a verified credential, and what it has under way. */
import type { Socket } from "socket.io";
import type { Client } from "../../../core/call.ts";
import type { UserNote } from "../../../core/feed/channels.ts";
import type { Session } from "../sessions.ts";
import type { Sends } from "./sends.ts";

export interface Person {
  readonly session: Session;
  readonly client: Client;
  /**
   * The chats it was told of, and the `joinedSeq` it was told; undefined until it subscribes. What it was told of it hears, or pages
   * through, or asked not to hear.
   */
  known: Map<string, number> | undefined;
  /** Chats it asked not to hear. */
  readonly unheard: Set<string>;
  /** Notes that came while the answer to `subscribe` was under way; they are heard after it. */
  held: UserNote[] | undefined;
  /** What it sends, a queue a chat. */
  readonly sends: Map<string, Sends>;
}
export type PersonSocket = Socket<Record<string, (...args: any[]) => void>, Record<string, (...args: any[]) => void>, object, Person>;

/** What goes with the calls this socket makes. */
export const metaOf = ({ data: { session, client } }: PersonSocket) => ({ meta: { user: session.user, client } });
