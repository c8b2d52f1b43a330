/** Changes a member's own settings of a chat, which are not part of the chat's sequence. */
import type { CallContext } from "../../../core/contract/call.ts";
import { Forbidden, Invalid } from "../../../core/errors.ts";
import type { Infer } from "../../../core/contract/schema.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { update } from "../../../core/store/store.ts";
import { members } from "../store/collections.ts";
import { chat as actions, type Chat } from "../contract.ts";
import { userChannel } from "../../user-notes.ts";
import { isActive, notAMember } from "../policy.ts";
import { viewOf } from "../reads/views.ts";
import type { ChatContext } from "../context.ts";
import { chatById, memberOf } from "../store/repository.ts";

export type MemberSettings = Omit<Infer<typeof actions.changeSettings.params>, "chatId">;

/**
 * Stores each setting under its own name.
 * @param mutedUntil  ISO-8601; null or a past time unmutes
 * @throws Forbidden  not a member; Invalid  nothing to change, or not a time
 */
export async function changeSettings(
  context: CallContext<ChatContext>,
  chatId: string,
  { mutedUntil, ...others }: MemberSettings,
): Promise<Chat> {
  const { db, feed, userId, clock } = context;
  const settings = { ...others, mutedUntil: muteTime(mutedUntil, clock.now()) };
  if (Object.values(settings).every((value) => value === undefined)) throw new Invalid("Name a setting to change");
  const { outcome } = await commitWithRetry(db, async () => {
    const [chat, member] = await Promise.all([chatById(db, chatId), memberOf(db, chatId, userId)]);
    if (chat === undefined || !isActive(member)) throw new Forbidden(notAMember);
    return { operations: [update(members, { _id: member._id, leftSeq: null }, settings)], outcome: { chat, member } };
  });
  // Read again: another setting may have changed at the same time.
  const member = (await memberOf(db, chatId, userId)) ?? outcome.member;
  const view = await viewOf(context, outcome.chat, member);
  feed.publish(userChannel(userId), { event: "chatChanged", data: view });
  return view;
}

function muteTime(mutedUntil: string | null | undefined, now: number): number | null | undefined {
  if (mutedUntil == null) return mutedUntil;
  const time = Date.parse(mutedUntil);
  // JavaScript reads February 31 as March 3.
  const day = new Date(`${mutedUntil.slice(0, 10)}T00:00Z`);
  if (Number.isNaN(time) || day.getUTCDate() !== Number(mutedUntil.slice(8, 10)))
    throw new Invalid("There is no such time", [{ field: "mutedUntil", message: "must be a time that exists" }]);
  return time > now ? time : null;
}
