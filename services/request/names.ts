/** Names and pictures of the people in a list, from profile. */
import { call, type Ctx } from "../../core/contract/call.ts";
import { profile, type ProfileSummary } from "../profile/contract.ts";

/** What profile answers at once. */
const portion = 1000;

/** Summaries by person; whose account is gone has none. */
export async function summariesById(ctx: Ctx<unknown>, userIds: readonly string[]): Promise<ReadonlyMap<string, ProfileSummary>> {
  const portions = Array.from({ length: Math.ceil(userIds.length / portion) }, (_, i) => userIds.slice(i * portion, (i + 1) * portion));
  const answers = await Promise.all(portions.map((ids) => call(ctx, profile.summaries, { userIds: ids })));
  return new Map(answers.flat().map((summary) => [summary.userId, summary]));
}
