/** Chats as their readers see them: the rows, and around them names, members and unread counts, fetched for many at once. */
import type { ChatRow, MemberRow } from "./collections.ts";
import { shownMembers, type Chat } from "./contract.ts";
import type { Made } from "./creation.ts";
import { presentChat } from "./present.ts";
import type { Work } from "./work.ts";

/** A chat and the member row of who reads it. */
export type Reading = readonly [ChatRow, MemberRow];

/** Presents each chat to its reader. */
export async function viewsOf(work: Work, readings: readonly Reading[]): Promise<Chat[]> {
  const { repository } = work;
  const parts = await Promise.all(
    readings.map(async ([chat, reader]) => ({
      chat,
      reader,
      shown: await repository.firstMembers(chat._id),
      unread: await repository.unread(reader, chat.n),
    })),
  );
  return titled(work, parts);
}

/** Presents one chat to one reader. */
export async function viewOf(work: Work, chat: ChatRow, reader: MemberRow): Promise<Chat> {
  const [view] = await viewsOf(work, [[chat, reader]]);
  return view!;
}

/** Presents a chat just made to its members; nothing in it is unread. A new group looks the same to all of them. */
export async function firstViews(work: Work, { chat, people }: Made): Promise<Chat[]> {
  const readers = chat.kind === "group" ? people.slice(0, 1) : people;
  const shown = people.slice(0, shownMembers);
  const views = await titled(
    work,
    readers.map((reader) => ({ chat, reader, shown, unread: 0 })),
  );
  return people.map((_, index) => views[index] ?? views[0]!);
}

interface Part {
  readonly chat: ChatRow;
  readonly reader: MemberRow;
  readonly shown: readonly MemberRow[];
  readonly unread: number;
}

/** A chat must be seen also while profile is away: then the other of a direct chat has no name for a while. */
async function titled({ summaries, clock }: Work, parts: readonly Part[]): Promise<Chat[]> {
  const otherOf = ({ chat, reader, shown }: Part) =>
    chat.kind === "direct" ? shown.find(({ userId }) => userId !== reader.userId)?.userId : undefined;
  const otherIds = [...new Set(parts.map(otherOf).filter((userId) => userId !== undefined))];
  const known = otherIds.length === 0 ? [] : await summaries(otherIds).catch(() => undefined);
  const names = new Map(known?.map(({ userId, firstName, lastName }) => [userId, `${firstName} ${lastName}`]));
  return parts.map((part) => {
    const { chat, reader, shown, unread } = part;
    const title = chat.name ?? names.get(otherOf(part) ?? "") ?? (known === undefined ? "Someone" : "Deleted user");
    return presentChat(chat, shown, { reader, unread, title, now: clock.now() });
  });
}
