/** Fetches names and pictures of the users in a list from profile. */
import { call, type Ctx } from "../../../core/contract/call.ts";
import { profile, type ProfileSummary } from "../../profile/contract.ts";

/** Maximum number of users per call of profile. */
const maxPerCall = 1000;

/** Summaries by user id. Deleted accounts have none. */
export async function summariesById(ctx: Ctx<unknown>, userIds: readonly string[]): Promise<ReadonlyMap<string, ProfileSummary>> {
  const batches = Array.from({ length: Math.ceil(userIds.length / maxPerCall) }, (_, i) =>
    userIds.slice(i * maxPerCall, (i + 1) * maxPerCall),
  );
  const answers = await Promise.all(batches.map((ids) => call(ctx, profile.summaries, { userIds: ids })));
  return new Map(answers.flat().map((summary) => [summary.userId, summary]));
}
