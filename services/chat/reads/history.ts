/** Reads a page of a chat's messages, ordered by `n`. */
import type { CallContext } from "../../../core/contract/call.ts";
import type { Infer } from "../../../core/contract/schema.ts";
import type { ChatContext } from "../context.ts";
import type { chat as actions, Message } from "../contract.ts";
import { isVisible } from "../policy.ts";
import { presentMessage } from "../present.ts";
import { activeMember } from "./member.ts";
import { firstMembers, messagesAfter, messagesBefore } from "../store/repository.ts";

/**
 * @returns messages in ascending order; `more` is true when the page is full
 * @throws Forbidden  the caller is not a member
 */
export async function history(
  context: CallContext<ChatContext>,
  { chatId, before, after, limit }: Infer<typeof actions.history.params>,
): Promise<{ messages: Message[]; more: boolean }> {
  const { db } = context;
  const member = await activeMember(context, chatId);
  const [readers, rows] = await Promise.all([
    firstMembers(db, chatId),
    after === undefined
      ? messagesBefore(db, chatId, member.joinedN, before, limit)
      : messagesAfter(db, chatId, Math.max(after, member.joinedN), limit),
  ]);
  const shown = rows.filter((row) => isVisible(member, row));
  return { messages: shown.map((row) => presentMessage(row, readers)), more: rows.length === limit };
}
