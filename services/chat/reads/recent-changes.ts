/**
 * Lists chats and memberships that changed recently, for gateways that poll for what the feed lost. The two lists are paged side by
 * side, by the store time of the last change.
 */
import type { Database } from "../../../core/store/store.ts";
import { chatsChangedAfter, membershipsChangedAfter } from "../store/repository.ts";
import type { ChatHead, Membership } from "../contract.ts";
import { presentHead, presentMembership } from "../present.ts";

/** Maximum number of rows of each kind in an answer. */
const pageSize = 500;

type ChangeCursor = readonly [changedAt: number, id: string];
const lowestId = "";

/** @param cursor  `next` of the previous answer */
export async function recentChanges(db: Database, since: number, cursor: string | undefined, now: number) {
  const [chatsAfter, membersAfter] = cursor === undefined ? [cursorAt(since, lowestId), cursorAt(since, lowestId)] : parseCursors(cursor);
  const [chatRows, memberRows] = await Promise.all([
    chatsChangedAfter(db, chatsAfter, pageSize),
    membershipsChangedAfter(db, membersAfter, pageSize),
  ]);
  const isComplete = chatRows.length < pageSize && memberRows.length < pageSize;
  const cursorAfter = <R extends { changedAt: number; _id: string }>(rows: readonly R[], start: ChangeCursor): ChangeCursor => {
    const last = rows.at(-1);
    return last === undefined ? start : cursorAt(last.changedAt, last._id);
  };
  const heads: ChatHead[] = chatRows.map(presentHead);
  const memberships: Membership[] = memberRows.map(presentMembership);
  return {
    heads,
    memberships,
    at: now,
    ...(isComplete ? {} : { next: formatCursors(cursorAfter(chatRows, chatsAfter), cursorAfter(memberRows, membersAfter)) }),
  };
}

const cursorAt = (changedAt: number, id: string): ChangeCursor => [changedAt, id];
const formatCursors = (...bounds: readonly [ChangeCursor, ChangeCursor]): string => bounds.map((parts) => parts.join(".")).join("_");
const parseCursors = (cursor: string): readonly [ChangeCursor, ChangeCursor] => {
  const [chatsAfter, membersAfter] = cursor.split("_").map((part) => {
    const [changedAt, id = lowestId] = part.split(".");
    return cursorAt(Number(changedAt), id);
  });
  return [chatsAfter!, membersAfter!];
};
