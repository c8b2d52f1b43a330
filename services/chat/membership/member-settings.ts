/** One's own view of a chat, and that one types: what is nobody's business in the chat's sequence. */
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

export type MemberSettings = Omit<Infer<typeof actions.changeSettings.params>, "chatId">;

/**
 * Stores each of the settings under its own name.
 * @param mutedUntil  ISO-8601; null, and a time that is past, unmute
 * @throws Forbidden  not a member; Invalid  nothing to change, or no time
 */
export async function changeSettings(
  context: CallContext<ChatContext>,
  chatId: string,
  { mutedUntil, ...others }: MemberSettings,
): Promise<Chat> {
  const { db, repository, feed, userId, clock } = context;
  const settings = { ...others, mutedUntil: muteTime(mutedUntil, clock.now()) };
  if (Object.values(settings).every((value) => value === undefined)) throw new Invalid("Name a setting to change");
  const { outcome } = await commitWithRetry(db, async () => {
    const [chat, member] = await Promise.all([repository.chat(chatId), repository.member(chatId, userId)]);
    if (chat === undefined || !isActive(member)) throw new Forbidden(notAMember);
    return { operations: [update(members, { _id: member._id, leftSeq: null }, settings)], outcome: { chat, member } };
  });
  // As the store has it now: another setting may have been changed beside this one.
  const member = (await repository.member(chatId, userId)) ?? outcome.member;
  const view = await viewOf(context, outcome.chat, member);
  feed.publish(userChannel(userId), { event: "chatChanged", data: view });
  return view;
}

function muteTime(mutedUntil: string | null | undefined, now: number): number | null | undefined {
  if (mutedUntil == null) return mutedUntil;
  const time = Date.parse(mutedUntil);
  // JavaScript takes the 31st of February for the 3rd of March.
  const day = new Date(`${mutedUntil.slice(0, 10)}T00:00Z`);
  if (Number.isNaN(time) || day.getUTCDate() !== Number(mutedUntil.slice(8, 10)))
    throw new Invalid("There is no such time", [{ field: "mutedUntil", message: "must be a time that exists" }]);
  return time > now ? time : null;
}
