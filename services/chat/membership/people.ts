/** Looks up people in `profile`: whether they exist, and their names. */
import { NotFound } from "../../../core/errors.ts";
import type { CallContext } from "../context.ts";

/** Asked only with `CONTACTS=open`, where no relation vouches for them. */
export async function everyoneExists({ config, requiredSummaries }: CallContext, userIds: readonly string[]): Promise<boolean> {
  if (config.CONTACTS === "required") return true;
  const known = new Set((await requiredSummaries(userIds)).map(({ userId }) => userId));
  return userIds.every((userId) => known.has(userId));
}

export async function refuseUnknown(context: CallContext, userIds: readonly string[]): Promise<void> {
  if (!(await everyoneExists(context, userIds))) throw new NotFound("No such user");
}

/** For the sentence that old clients show; who can't be named now is someone. */
export async function displayName({ requiredSummaries }: CallContext, userId: string): Promise<string> {
  const [person] = await requiredSummaries([userId]).catch(() => []);
  return person === undefined ? "someone" : `${person.firstName} ${person.lastName}`.trim();
}
