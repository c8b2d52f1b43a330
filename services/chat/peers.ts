/** Fetches users' names from profile and their relations from request. */
import { call, type Caller } from "../../core/contract/call.ts";
import { profile, type ProfileSummary } from "../profile/contract.ts";
import { request, type Relation } from "../request/contract.ts";

/** The part of a call's context that these functions need. */
interface InCall {
  readonly ctx: Caller;
}

/** Short: a missing name must not delay the chat that it belongs to. */
const optionalSummariesTimeoutMs = 1500;
/** Leaves the call time to use the answer. */
const requiredSummariesTimeoutMs = 4000;

/** Fetches names to show. Unknown people are left out. */
export const fetchSummaries = (context: InCall, userIds: readonly string[]): Promise<readonly ProfileSummary[]> =>
  summariesWithin(context, userIds, optionalSummariesTimeoutMs);

/** Fetches summaries that a decision or a stored text needs, so it waits longer. Unknown people are left out. */
export const fetchRequiredSummaries = (context: InCall, userIds: readonly string[]): Promise<readonly ProfileSummary[]> =>
  summariesWithin(context, userIds, requiredSummariesTimeoutMs);

const summariesWithin = ({ ctx }: InCall, userIds: readonly string[], timeout: number): Promise<readonly ProfileSummary[]> =>
  call(ctx, profile.summaries, { userIds: [...userIds] }, { timeout, retries: 0 });

/** Fetches a user's relations to others from `request`. */
export const fetchRelations = ({ ctx }: InCall, userId: string, otherIds: readonly string[]): Promise<readonly Relation[]> =>
  call(ctx, request.relations, { userId, otherIds: [...otherIds] });
