/** Reads the caller's membership in a chat. */
import type { CallContext } from "../../../core/contract/call.ts";
import { Forbidden } from "../../../core/errors.ts";
import type { ChatContext } from "../context.ts";
import { isActive, notAMember } from "../policy.ts";
import type { MemberRow } from "../store/collections.ts";
import { memberOf } from "../store/repository.ts";

/** @throws Forbidden  the caller is not a member, or the chat does not exist */
export async function activeMember({ db, userId }: CallContext<ChatContext>, chatId: string): Promise<MemberRow> {
  const member = await memberOf(db, chatId, userId);
  if (!isActive(member)) throw new Forbidden(notAMember);
  return member;
}
