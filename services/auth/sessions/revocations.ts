/** Notifies gateways of ended sessions: pushes each revocation on the feed, and lists them page by page for gateways that missed some. */
import type { AuthContext } from "../context.ts";
import { revocationsChannel, type Revocation } from "../contract.ts";
import { sessionsEndedAt, sessionsRevokedAfter, type RevokedSession } from "./sessions.repository.ts";

/**
 * Notifies the gateways of the user's sessions that a commit ended. Beyond 1000, they find the rest when they poll.
 * @param at  the commit's store time
 * @returns the number of sessions published
 */
export async function publishRevocationsAt(context: AuthContext, userId: string, at: number): Promise<number> {
  const ended = await sessionsEndedAt(context.db, userId, at);
  publishRevocations(context, ended);
  return ended.length;
}

/** Publishes without waiting. A gateway that misses the note finds the revocation when it polls, within ten seconds. */
export function publishRevocations({ feed }: AuthContext, ended: readonly RevokedSession[]): void {
  for (const session of ended) feed.publish(revocationsChannel, presentRevocation(session));
}

const presentRevocation = ({ _id, userId, reason, revokedAt, expiresAt }: RevokedSession): Revocation => ({
  sessionId: _id,
  userId,
  reason,
  revokedAt,
  expiresAt,
});

/**
 * Returns a page of revocations, oldest first.
 * @param cursor  `next` of the previous page; without it, the page starts after `since`
 * @returns `at`: the store time before the read. The next poll uses it, less some slack, as `since`
 */
export async function revocationsAfter(
  { db, store }: AuthContext,
  { since, cursor, limit }: { readonly since: number; readonly cursor?: string | undefined; readonly limit: number },
): Promise<{ revocations: Revocation[]; at: number; next?: string }> {
  const at = await store.time();
  const page = await sessionsRevokedAfter(db, cursor === undefined ? [since] : parseCursor(cursor), limit);
  const last = page.at(-1);
  return {
    revocations: page.filter(({ expiresAt }) => expiresAt > at).map(presentRevocation),
    at,
    ...(page.length < limit || last === undefined ? {} : { next: `${last.revokedAt}:${last._id}` }),
  };
}

function parseCursor(cursor: string): [number, string] {
  const [revokedAt = "", sessionId = ""] = cursor.split(":");
  return [Number(revokedAt), sessionId];
}
