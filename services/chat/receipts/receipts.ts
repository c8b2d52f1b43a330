/** Raises members' watermarks, which are stored outside the chat's sequence and published in small chats. */
import type { CallContext } from "../../../core/contract/call.ts";
import { Forbidden, Invalid } from "../../../core/errors.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { update } from "../../../core/store/store.ts";
import { userChannel } from "../../user-notes.ts";
import { members, type MemberRow } from "../store/collections.ts";
import { maxMembersForReceipts } from "../contract.ts";
import { isActive, notAMember } from "../policy.ts";
import { presentReceipt } from "../present.ts";
import type { ChatContext } from "../context.ts";
import { chatById, memberOf, membersOf, unreadCount } from "../store/repository.ts";

/**
 * Raises the caller's `readN`, which never goes back.
 * @param n  `n` of the last message read
 * @throws Forbidden  not a member; Invalid  no such message yet
 */
export async function markRead(
  context: CallContext<ChatContext>,
  chatId: string,
  n: number,
): Promise<{ chatId: string; readN: number; unread: number }> {
  const { db, userId, receiptPublisher } = context;
  const { outcome } = await commitWithRetry(db, async () => {
    const [chat, member] = await Promise.all([chatById(db, chatId), memberOf(db, chatId, userId)]);
    if (chat === undefined || !isActive(member)) throw new Forbidden(notAMember);
    if (n > chat.n) throw new Invalid("There is no such message yet", [{ field: "n", message: `must be at most ${chat.n}` }]);
    const isSmall = chat.memberCount <= maxMembersForReceipts;
    const { _id, readN, deliveredN } = member;
    if (n <= readN) return { operations: [], outcome: { chat, member, isSmall, isRaised: false } };
    const marks = { readN: n, deliveredN: isSmall ? Math.max(deliveredN, n) : deliveredN };
    const operations = [update(members, { _id, readN, deliveredN, leftSeq: null }, marks)];
    return { operations, outcome: { chat, member: { ...member, ...marks }, isSmall, isRaised: true } };
  });
  const { chat, member, isSmall, isRaised } = outcome;
  if (isRaised && isSmall) receiptPublisher.publishThrottled(chatId, [member]);
  if (isRaised && !isSmall) notifyOwnDevices(context, chatId, member);
  return { chatId, readN: member.readN, unread: await unreadCount(db, member, chat.n) };
}

/** In a large chat, notify only the reader's own devices. */
function notifyOwnDevices({ feed, userId }: CallContext<ChatContext>, chatId: string, member: MemberRow): void {
  feed.publish(userChannel(userId), { event: "receipt", data: { chatId, ...presentReceipt(member) } });
}

/** Raises `deliveredN`. Large chats do without: it would cost as many writes as messages. */
export async function markDelivered(
  { db, receiptPublisher }: ChatContext,
  chatId: string,
  marks: Readonly<Record<string, number>>,
): Promise<void> {
  const { outcome: raised } = await commitWithRetry(db, async () => {
    const chat = await chatById(db, chatId);
    if (chat === undefined || chat.memberCount > maxMembersForReceipts) return { operations: [], outcome: [] };
    const rows = (await membersOf(db, chatId, Object.keys(marks))).filter(isActive);
    const toRaise = rows
      .map((row) => ({ row, deliveredN: Math.min(marks[row.userId]!, chat.n) }))
      .filter(({ row, deliveredN }) => deliveredN > row.deliveredN);
    return {
      operations: toRaise.map(({ row, deliveredN }) => update(members, { _id: row._id, deliveredN: row.deliveredN }, { deliveredN })),
      outcome: toRaise.map(({ row, deliveredN }) => ({ ...row, deliveredN })),
    };
  });
  receiptPublisher.publishThrottled(chatId, raised);
}
