/** Looks up people in `profile`: whether they exist, and their names. */
import type { CallContext } from "../../../core/contract/call.ts";
import { NotFound } from "../../../core/errors.ts";
import type { ChatContext } from "../context.ts";
import { fetchRequiredSummaries } from "../peers.ts";

/** Only needed with `CONTACTS=open`. Otherwise a relation proves that the users exist. */
export async function everyoneExists(context: CallContext<ChatContext>, userIds: readonly string[]): Promise<boolean> {
  if (context.config.CONTACTS === "required") return true;
  const known = new Set((await fetchRequiredSummaries(context, userIds)).map(({ userId }) => userId));
  return userIds.every((userId) => known.has(userId));
}

export async function refuseUnknown(context: CallContext<ChatContext>, userIds: readonly string[]): Promise<void> {
  if (!(await everyoneExists(context, userIds))) throw new NotFound("No such user");
}

/** A name for the sentence that old clients show, or "someone" if profile is unavailable. */
export async function displayName(context: CallContext<ChatContext>, userId: string): Promise<string> {
  const [person] = await fetchRequiredSummaries(context, [userId]).catch(() => []);
  return person === undefined ? "someone" : `${person.firstName} ${person.lastName}`.trim();
}
