/** Reads the changes that a gateway missed. */
import type { Database } from "../../../core/store/store.ts";
import { Forbidden } from "../../../core/errors.ts";
import type { Batch } from "../documents.ts";
import { notAMember } from "../policy.ts";
import { presentMessage, presentMembership, presentShared } from "../present.ts";
import { chatById, firstMembers, membersChangedAfterSeq, messagesChangedAfter } from "../store/repository.ts";
import { maxChangesPerChat } from "./sync.ts";

/**
 * Reads a chat's changes after a `seq`, at most 200, with the head after them.
 * @throws Forbidden  no such chat
 */
export async function changesSince(db: Database, chatId: string, since: number): Promise<Batch & { more: boolean }> {
  const before = await chatById(db, chatId);
  // Read beyond that head too: a message that changes meanwhile gets a higher seq, and would be missing although the head counts it.
  const rows = await messagesChangedAfter(db, chatId, since, undefined, maxChangesPerChat);
  const chat = await chatById(db, chatId);
  if (before === undefined || chat === undefined) throw new Forbidden(notAMember);
  const last = rows.at(-1)?.seq ?? 0;
  const more = rows.length === maxChangesPerChat && last < chat.seq;
  const seq = more ? last : Math.max(before.seq, last);
  const isShared = chat.sharedSeq > since && chat.sharedSeq <= seq;
  const [people, memberRows] = await Promise.all([
    firstMembers(db, chatId),
    // Beyond this page too: a member may be removed on this page and added again on a later one. Their row shows only the return, and
    // without it the room would keep emitting this page to their sockets.
    chat.sharedSeq > since ? membersChangedAfterSeq(db, chatId, since) : [],
  ]);
  return {
    chatId,
    prevSeq: since,
    seq,
    n: Math.max(before.n, ...rows.map(({ n }) => n)),
    memberCount: chat.memberCount,
    changes: rows.map((row) => presentMessage(row, people)),
    memberChanges: memberRows.map(presentMembership),
    ...(isShared ? { chat: presentShared(chat, people) } : {}),
    more,
  };
}
