/** Lists a user's sent and received invites. The cache has them without names, which profile can change at any time. */
import type { Ctx } from "../../../core/contract/call.ts";
import type { Cache } from "../../../core/cache/cache.ts";
import type { Database } from "../../../core/store/store.ts";
import type { Source } from "../../profile/contract.ts";
import type { ContactRequest, ListedRequest, RelationState } from "../contract.ts";
import { summariesById } from "./profile-summaries.ts";
import * as present from "../present.ts";
import { newestRequests, sides, type RequestSide } from "../requests.repository.ts";

/** Withdrawn invites, ended contacts and blocks are in no list. */
const listedStates: readonly RelationState[] = ["pending", "accepted", "rejected"];

const cacheKey = (side: RequestSide, userId: string): string => `requests:${side}:${userId}`;

/** A user's sent or received invites, newest first, each with the other user's summary; at most 1000 of each status. */
export async function listRequests(
  { db, cache }: { readonly db: Database; readonly cache: Cache },
  ctx: Ctx<unknown>,
  side: RequestSide,
  userId: string,
  status: RelationState | null | undefined,
): Promise<{ requests: ListedRequest[]; source: Source }> {
  const { value, source } = await cache.read(cacheKey(side, userId), async () => {
    const rows = await newestRequests(db, side, userId, listedStates);
    return rows.map(present.contactRequest);
  });
  const wanted = status == null ? value : value.filter((request) => request.status === status);
  return { requests: await withSummaries(ctx, side, wanted), source };
}

/** Call it after every change of these users' requests and before its answer. */
export const forgetLists = (cache: Cache, userIds: readonly string[]): Promise<void> =>
  cache.invalidate(userIds.flatMap((userId) => [cacheKey("sent", userId), cacheKey("received", userId)]));

async function withSummaries(ctx: Ctx<unknown>, side: RequestSide, requests: readonly ContactRequest[]): Promise<ListedRequest[]> {
  const { user } = sides[side];
  const ids = requests.map((request) => request[user]);
  const summaries = await summariesById(ctx, ids);
  return requests.map((request) => ({ ...request, user: summaries.get(request[user]) ?? null }));
}
