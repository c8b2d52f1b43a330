/**
 * Events for all sockets of one person. Services publish them on the person's channel, and each gateway that has such sockets sends
 * them on. Only events of the gateway's table can be published: any other one does not compile.
 */
import { channel, type Channel } from "../core/feed/feed.ts";
import type { ServerEventPayloads } from "./gateway/socket/server-events.ts";
import type { MembershipStart, MembershipEnd } from "./gateway/socket/known-memberships.ts";

export type UserNote = { [E in keyof ServerEventPayloads]: NoteOf<E> }[keyof ServerEventPayloads];

interface NoteOf<E extends keyof ServerEventPayloads> {
  readonly event: E;
  readonly data: ServerEventPayloads[E];
  /** The person became a member of this chat: from now on their subscribed sockets hear it. */
  readonly joined?: E extends "chatChanged" ? MembershipStart : never;
  /** The person's membership of this chat ended at this change: sockets that sat in it were told in its sequence, the others now. */
  readonly left?: E extends "chatRemoved" ? MembershipEnd : never;
}

export const userChannel = (userId: string): Channel<UserNote> => channel(`user:${userId}`);
