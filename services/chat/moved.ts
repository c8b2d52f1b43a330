/**
 * What moved lately, for gateways that compare it with what they heard: the feed may lose messages, this look does not. Two lists,
 * chats and memberships, are paged side by side by the store time of their last change.
 */
import type { Repository } from "./chat.repository.ts";
import type { Head, Membership } from "./contract.ts";
import { presentHead, presentMembership } from "./present.ts";

/** Rows of each kind in an answer. */
const pageSize = 500;

type Bound = readonly [changedAt: number, id: string];
const firstId = "";

/** @param cursor  an earlier answer's `next` */
export async function moved(repository: Repository, since: number, cursor: string | undefined, now: number) {
  const [chatsAfter, membersAfter] = cursor === undefined ? [bound(since, firstId), bound(since, firstId)] : parse(cursor);
  const [chatRows, memberRows] = await Promise.all([
    repository.chatsMoved(chatsAfter, pageSize),
    repository.membersMoved(membersAfter, pageSize),
  ]);
  const isWhole = chatRows.length < pageSize && memberRows.length < pageSize;
  const end = <R extends { changedAt: number; _id: string }>(rows: readonly R[], start: Bound): Bound => {
    const last = rows.at(-1);
    return last === undefined ? start : bound(last.changedAt, last._id);
  };
  const heads: Head[] = chatRows.map(presentHead);
  const memberships: Membership[] = memberRows.map(presentMembership);
  return { heads, memberships, at: now, ...(isWhole ? {} : { next: format(end(chatRows, chatsAfter), end(memberRows, membersAfter)) }) };
}

const bound = (changedAt: number, id: string): Bound => [changedAt, id];
const format = (...bounds: readonly [Bound, Bound]): string => bounds.map((parts) => parts.join(".")).join("_");
const parse = (cursor: string): readonly [Bound, Bound] => {
  const [chatsAfter, membersAfter] = cursor.split("_").map((part) => {
    const [changedAt, id = firstId] = part.split(".");
    return bound(Number(changedAt), id);
  });
  return [chatsAfter!, membersAfter!];
};
