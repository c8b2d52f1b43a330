/** Chats as their readers see them: the rows, and around them names, members and unread counts, fetched for many at once. */
import type { ProfileSummary } from "../profile/contract.ts";
import type { Repository } from "./chat.repository.ts";
import type { ChatRow, MemberRow } from "./collections.ts";
import type { Chat } from "./contract.ts";
import { presentChat } from "./present.ts";

/** Summaries of people by id; those unknown are left out. */
export type Summaries = (userIds: readonly string[]) => Promise<readonly ProfileSummary[]>;

/**
 * Presents each chat to its reader.
 * @param pairs  a chat and the member row of who reads it
 */
export async function viewsOf(
  repository: Repository,
  summaries: Summaries,
  pairs: readonly (readonly [ChatRow, MemberRow])[],
): Promise<Chat[]> {
  const people = new Map<string, Promise<MemberRow[]>>();
  for (const [{ _id }] of pairs) if (!people.has(_id)) people.set(_id, repository.firstMembers(_id));

  const parts = await Promise.all(
    pairs.map(async ([chat, reader]) => {
      const shown = await people.get(chat._id)!;
      const otherId = chat.kind === "direct" ? shown.find(({ userId }) => userId !== reader.userId)?.userId : undefined;
      return { chat, reader, shown, otherId, unread: await repository.unread(reader) };
    }),
  );
  const otherIds = [...new Set(parts.flatMap(({ otherId }) => (otherId === undefined ? [] : [otherId])))];
  const names = new Map((otherIds.length === 0 ? [] : await summaries(otherIds)).map((summary) => [summary.userId, summary]));
  return parts.map(({ chat, reader, shown, otherId, unread }) =>
    presentChat(chat, shown, { reader, unread, other: otherId === undefined ? undefined : names.get(otherId) }),
  );
}
