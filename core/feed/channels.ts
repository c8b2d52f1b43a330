/** Feed channels that no single service owns. */
import type { Channel } from "./feed.ts";

/** What goes to all sockets of one person. */
export interface UserNote {
  readonly event: string;
  readonly data: unknown;
  /** The person became a member of this chat: from now on their subscribed sockets hear it. */
  readonly joined?: { readonly chatId: string; readonly joinedN: number; readonly joinedSeq: number };
  /** The person's membership of this chat ended at this change: sockets that sat in it were told in its sequence, the others now. */
  readonly left?: { readonly chatId: string; readonly leftSeq: number };
}
export const userChannel = (userId: string): Channel<UserNote> => `user:${userId}`;
