/** Reads the changes that a gateway missed. */
import { Forbidden } from "../../../core/errors.ts";
import type { Batch } from "../documents.ts";
import { notAMember } from "../policy.ts";
import { presentMessage, presentMembership, presentShared } from "../present.ts";
import type { ChatRepository } from "../store/repository.ts";
import { maxChangesPerChat } from "./sync.ts";

/**
 * A chat's changes after a `seq`, for a gateway that missed some: at most 200, and the head they lead to.
 * @throws Forbidden  no such chat
 */
export async function changesSince(repository: ChatRepository, chatId: string, since: number): Promise<Batch & { more: boolean }> {
  const before = await repository.chat(chatId);
  // Not only up to that head: a message changed meanwhile moves beyond it, and would be missing among those that the head counts.
  const rows = await repository.changes(chatId, since, undefined, maxChangesPerChat);
  const chat = await repository.chat(chatId);
  if (before === undefined || chat === undefined) throw new Forbidden(notAMember);
  const last = rows.at(-1)?.seq ?? 0;
  const more = rows.length === maxChangesPerChat && last < chat.seq;
  const seq = more ? last : Math.max(before.seq, last);
  const isShared = chat.sharedSeq > since && chat.sharedSeq <= seq;
  const [people, memberRows] = await Promise.all([
    repository.firstMembers(chatId),
    // Beyond this page too: who was removed and came back above it was away on it, and their row shows the return only.
    chat.sharedSeq > since ? repository.membersChangedAfterSeq(chatId, since) : [],
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
