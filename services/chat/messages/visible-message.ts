/** Finds a message of a batch that the user may see. */
import { NotFound } from "../../../core/errors.ts";
import { isActive, isVisible } from "../policy.ts";
import type { MemberRow, MessageRow } from "../store/collections.ts";
import type { ChangeBatch } from "../timeline/batch.ts";

/** @throws NotFound  no such message, or the user may not see it: callers can't tell the two apart */
export function visibleMessage(batch: ChangeBatch, userId: string, messageId: string): { member: MemberRow; message: MessageRow } {
  const member = batch.member(userId);
  const message = batch.message(messageId);
  if (message === undefined || !isActive(member) || !isVisible(member, message)) throw noSuchMessage();
  return { member, message };
}
export const noSuchMessage = (): NotFound => new NotFound("There is no such message");
