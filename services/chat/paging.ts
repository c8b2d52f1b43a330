/** One's chats by last activity, a page at a time; the cursor is the last chat's own place in that order. */
import { Invalid } from "../../core/errors.ts";
import { isId } from "../../core/ids.ts";
import type { Repository } from "./chat.repository.ts";
import type { ChatRow, MemberRow } from "./collections.ts";

type Place = readonly [lastActivityAt: number, chatId: string];

const compare = (a: Place, b: Place): number => b[0] - a[0] || (a[1] < b[1] ? 1 : a[1] > b[1] ? -1 : 0);
const placeOf = ({ lastActivityAt, _id }: ChatRow): Place => [lastActivityAt, _id];

/** @throws Invalid  a cursor that no answer gave */
function parseCursor(cursor: string): Place {
  const [time = "", id] = cursor.split("-");
  if (!/^\d{1,15}$/.test(time) || !isId(id))
    throw new Invalid("Unknown cursor", [{ field: "before", message: "must be a cursor of an earlier answer" }]);
  return [Number(time), id];
}

export async function pageOfChats(
  repository: Repository,
  userId: string,
  { limit, before }: { limit: number; before?: string | undefined },
) {
  const from = before === undefined ? undefined : parseCursor(before);
  const memberships = new Map((await repository.memberships(userId)).map((row) => [row.chatId, row]));
  const rows = (await repository.chats([...memberships.keys()]))
    .filter((chat) => from === undefined || compare(placeOf(chat), from) > 0)
    .sort((a, b) => compare(placeOf(a), placeOf(b)));
  const page = rows.slice(0, limit).map((chat): readonly [ChatRow, MemberRow] => [chat, memberships.get(chat._id)!]);
  const last = rows.length > limit ? page.at(-1)![0] : undefined;
  return { page, ...(last === undefined ? {} : { next: `${last.lastActivityAt}-${last._id}` }) };
}
