/** Reads the first reactions of each kind, which a message lists. */
import type { ReactionRow } from "./collections.ts";
import type { ChatRepository } from "./repository.ts";

export const reactionKey = (messageId: string, emoji: string): string => `${messageId} ${emoji}`;

/** Reactions of a kind that a message names. */
export const maxListedReactors = 50;

/** As many as are named, and one for each that may be taken back. */
export async function readFirstReactions(repository: ChatRepository, keys: readonly Pick<ReactionRow, "messageId" | "emoji">[]) {
  const kinds = new Map(keys.map(({ messageId, emoji }) => [reactionKey(messageId, emoji), { messageId, emoji }]));
  const limit = maxListedReactors + keys.length;
  const rows = await Promise.all(
    [...kinds].map(async ([key, { messageId, emoji }]) => [key, await repository.reactionsOf(messageId, emoji, limit)] as const),
  );
  return new Map(rows);
}
