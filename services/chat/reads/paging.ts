/** Pages through a user's chats by last activity and a chat's members by seniority. A cursor is the position of the last entry. */
import { Invalid } from "../../../core/errors.ts";
import { newestFirst, pageCursor, pageOf, positionAt, type PagePosition } from "../../../core/contract/paging.ts";
import type { CallContext } from "../../../core/contract/call.ts";
import type { ChatContext } from "../context.ts";
import type { ChatRow } from "../store/collections.ts";
import type { Chat, MemberView } from "../contract.ts";
import { presentMember } from "../present.ts";
import { activeMember } from "./member.ts";
import { viewsOf, type ChatAndReader } from "./views.ts";
import { chatById, chatsById, membersAfter, membershipsOf } from "../store/repository.ts";

const positionOf = ({ lastActivityAt, _id }: ChatRow): PagePosition => [lastActivityAt, _id];

/** @throws Invalid  not a cursor from an earlier answer */
function parseCursor(field: string, cursor: string): PagePosition {
  if (!pageCursor.pattern.test(cursor)) throw new Invalid("Unknown cursor", [{ field, message: pageCursor.messages.stringPattern }]);
  return positionAt(cursor);
}

export async function pageOfChats(
  context: CallContext<ChatContext>,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<{ chats: Chat[]; next?: string }> {
  const { db, userId } = context;
  const from = before === undefined ? undefined : parseCursor("before", before);
  const memberships = new Map((await membershipsOf(db, userId)).map((row) => [row.chatId, row]));
  const found = (await chatsById(db, [...memberships.keys()]))
    .filter((chat) => from === undefined || newestFirst(positionOf(chat), from) > 0)
    .sort((a, b) => newestFirst(positionOf(a), positionOf(b)));
  const { page, ...next } = pageOf(found, limit, positionOf);
  const chats = page.map((chat): ChatAndReader => [chat, memberships.get(chat._id)!]);
  return { chats: await viewsOf(context, chats), ...next };
}

export async function pageOfMembers(
  context: CallContext<ChatContext>,
  { chatId, after, limit }: { chatId: string; after?: string | undefined; limit: number },
): Promise<{ members: MemberView[]; count: number; next?: string }> {
  const { db } = context;
  await activeMember(context, chatId);
  const from = after === undefined ? [] : parseCursor("after", after);
  const [chat, rows] = await Promise.all([chatById(db, chatId), membersAfter(db, chatId, from, limit + 1)]);
  const { page, ...next } = pageOf(rows, limit, ({ joinedSeq, _id }) => [joinedSeq, _id]);
  return { members: page.map(presentMember), count: chat?.memberCount ?? 0, ...next };
}
