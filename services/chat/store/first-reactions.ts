/** Reads the first reactions of each kind, which the message lists. */
import type { Database } from "../../../core/store/store.ts";
import type { ReactionRow } from "./collections.ts";
import { reactionsOf } from "./repository.ts";

export const reactionKey = (messageId: string, emoji: string): string => `${messageId} ${emoji}`;

/** Maximum number of users that a message lists per kind of reaction. */
export const maxListedReactors = 50;

/** Reads as many as are listed, plus one for each reaction that the batch may remove. */
export async function readFirstReactions(db: Database, keys: readonly Pick<ReactionRow, "messageId" | "emoji">[]) {
  const kinds = new Map(keys.map(({ messageId, emoji }) => [reactionKey(messageId, emoji), { messageId, emoji }]));
  const limit = maxListedReactors + keys.length;
  const rows = await Promise.all(
    [...kinds].map(async ([key, { messageId, emoji }]) => [key, await reactionsOf(db, messageId, emoji, limit)] as const),
  );
  return new Map(rows);
}
