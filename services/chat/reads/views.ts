/** Builds chats as their readers see them: with names, members and unread counts, fetched for many chats at once. */
import type { CallContext } from "../../../core/contract/call.ts";
import type { ChatRow, MemberRow } from "../store/collections.ts";
import { maxShownMembers, type Chat, type Membership } from "../contract.ts";
import { fetchSummaries } from "../peers.ts";
import { presentChat, presentMembership } from "../present.ts";
import { activeMember } from "./member.ts";
import type { ChatContext } from "../context.ts";
import { chatById, firstMembers, unreadCount } from "../store/repository.ts";

/** A chat with its reader's member row. */
export type ChatAndReader = readonly [ChatRow, MemberRow];

/** Reads the first members of a chat. */
export type FirstMembersReader = (chatId: string) => Promise<MemberRow[]>;

/** Presents each chat to its reader. @param readMembers  for a caller that has read the members of some chats already */
export async function viewsOf(
  context: CallContext<ChatContext>,
  chatsAndReaders: readonly ChatAndReader[],
  readMembers: FirstMembersReader = (chatId) => firstMembers(context.db, chatId),
): Promise<Chat[]> {
  const { db } = context;
  const viewRows = await Promise.all(
    chatsAndReaders.map(async ([chat, reader]) => ({
      chat,
      reader,
      shown: await readMembers(chat._id),
      unread: await unreadCount(db, reader, chat.n),
    })),
  );
  return presentWithTitles(context, viewRows);
}

/** Presents one chat to one reader. */
export async function viewOf(context: CallContext<ChatContext>, chat: ChatRow, reader: MemberRow): Promise<Chat> {
  const [view] = await viewsOf(context, [[chat, reader]]);
  return view!;
}

/** Presents one chat to the caller. @throws Forbidden  the caller is not a member */
export async function ownView(context: CallContext<ChatContext>, chatId: string): Promise<{ chat: Chat; membership: Membership }> {
  // Read the chat first: a removal in between then has a higher seq, and the caller's socket receives it after this answer.
  const chat = await chatById(context.db, chatId);
  const member = await activeMember(context, chatId);
  return { chat: await viewOf(context, chat!, member), membership: presentMembership(member) };
}

/** Presents a new chat to its members. Nothing in it is unread, and a new group looks the same to all members. */
export async function firstViews(context: CallContext<ChatContext>, { chat, people }: CreatedChat): Promise<Chat[]> {
  const readers = chat.kind === "group" ? people.slice(0, 1) : people;
  const shown = people.slice(0, maxShownMembers);
  const views = await presentWithTitles(
    context,
    readers.map((reader) => ({ chat, reader, shown, unread: 0 })),
  );
  return people.map((_, index) => views[index] ?? views[0]!);
}

interface ChatViewRows {
  readonly chat: ChatRow;
  readonly reader: MemberRow;
  readonly shown: readonly MemberRow[];
  readonly unread: number;
}

/** Chats must be readable while profile is unavailable. The other user of a direct chat then has no name. */
async function presentWithTitles(context: CallContext<ChatContext>, viewRows: readonly ChatViewRows[]): Promise<Chat[]> {
  const otherOf = ({ chat, reader, shown }: ChatViewRows) =>
    chat.kind === "direct" ? shown.find(({ userId }) => userId !== reader.userId)?.userId : undefined;
  const otherIds = [...new Set(viewRows.map(otherOf).filter((userId) => userId !== undefined))];
  const known = otherIds.length === 0 ? [] : await fetchSummaries(context, otherIds).catch(() => undefined);
  const names = new Map(known?.map(({ userId, firstName, lastName }) => [userId, `${firstName} ${lastName}`]));
  return viewRows.map((rows) => {
    const { chat, reader, shown, unread } = rows;
    const title = chat.name ?? names.get(otherOf(rows) ?? "") ?? (known === undefined ? "Someone" : "Deleted user");
    return presentChat(chat, shown, { reader, unread, title, now: context.clock.now() });
  });
}
/** A new chat with its first members. */

export interface CreatedChat {
  readonly chat: ChatRow;
  readonly people: readonly MemberRow[];
}
