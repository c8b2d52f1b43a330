/**
 * Defines events for all sockets of one user. Services publish them on the user's channel, and gateways send them to the user's sockets.
 * Publishing an event that is not in the gateway's table does not compile.
 */
import { channel, type Channel } from "../core/feed/feed.ts";
import type { ServerEventPayloads } from "./gateway/socket/server-events.ts";
import type { MembershipStart, MembershipEnd } from "./gateway/socket/known-memberships.ts";

export type UserNote = { [E in keyof ServerEventPayloads]: NoteOf<E> }[keyof ServerEventPayloads];

interface NoteOf<E extends keyof ServerEventPayloads> {
  readonly event: E;
  readonly data: ServerEventPayloads[E];
  /** The user became a member of this chat; their subscribed sockets receive its events from now on. */
  readonly joined?: E extends "chatChanged" ? MembershipStart : never;
  /**
   * The user's membership of this chat ended at this change. Sockets in the chat's room were notified in the chat's sequence; the note
   * is for the others.
   */
  readonly left?: E extends "chatRemoved" ? MembershipEnd : never;
}

export const userChannel = (userId: string): Channel<UserNote> => channel(`user:${userId}`);
