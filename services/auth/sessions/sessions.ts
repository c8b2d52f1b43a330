/** Sessions: each log-in is one, its token names it, and until the token expires every gateway can learn that it was ended. */
import type { AuthContext } from "../context.ts";
import type { ClientInfo } from "../../../core/contract/call.ts";
import { codeOf } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { remove, storeTime, update } from "../../../core/store/store.ts";
import type { SecurityActor } from "../../../core/security/log.ts";
import { signToken } from "../../../core/security/access-tokens.ts";
import type { AccountRow } from "../accounts.repository.ts";
import { revocationsChannel, type LogIn, type Revocation } from "../contract.ts";
import * as present from "../present.ts";
import {
  sessions,
  sessionsEndedAt,
  sessionsExpiredBefore,
  sessionsRevokedAfter,
  type RevokedSession,
  type SessionRow,
} from "./sessions.repository.ts";

/** What sessions are kept with. */
const sessionLifetimeMs = 24 * 60 * 60_000;
const expirySweep = { everyMs: 60_000, batch: 500, expiredForMs: 5 * 60_000 } as const;

/** A session that begins now, not stored yet. */
export function newSession(
  { clock }: AuthContext,
  account: Pick<AccountRow, "_id" | "passwordRev">,
  client: ClientInfo | undefined,
): SessionRow {
  const now = clock.now();
  return {
    _id: newId(),
    userId: account._id,
    passwordRev: account.passwordRev,
    device: client?.device ?? "",
    address: client?.address ?? "",
    createdAt: now,
    lastUsedAt: now,
    // A token's expiry is whole seconds, and its session ends with it.
    expiresAt: Math.floor((now + sessionLifetimeMs) / 1000) * 1000,
    revokedAt: null,
    reason: null,
  };
}

/** The answer to who began this session. */
export function logInResult(
  { jwtSecrets, installation }: AuthContext,
  account: AccountRow,
  { _id: sessionId, expiresAt, createdAt }: SessionRow,
): LogIn {
  const token = signToken({ userId: account._id, sessionId, era: installation.era(), expiresAt }, jwtSecrets, createdAt);
  return { account: present.account(account), sessionId, token, expiresAt };
}

/** Ends a session; one that has ended already stays as it is. */
export async function endSession(context: AuthContext, sessionId: string, who: SecurityActor): Promise<void> {
  const { db, security } = context;
  try {
    await db.commit([update(sessions, { _id: sessionId, revokedAt: null }, { revokedAt: storeTime, reason: "loggedOut" })]);
  } catch (error) {
    if (codeOf(error) === "CONFLICT") return;
    throw error;
  }
  security.record("sessions_revoked", who, { reason: "loggedOut", sessions: 1 });
  const session = await db.get(sessions, sessionId);
  if (session !== undefined) publishRevocations(context, [session as RevokedSession]);
}

/**
 * Tells the gateways of the sessions that a commit of that time ended. Beyond 1000 they learn of the rest when they ask.
 * @returns of how many they were told
 */
export async function publishRevocationsAt(context: AuthContext, userId: string, at: number): Promise<number> {
  const ended = await sessionsEndedAt(context.db, userId, at);
  publishRevocations(context, ended);
  return ended.length;
}

/** The fast way; a gateway that misses it asks for `revocations` within ten seconds. */
function publishRevocations({ feed }: AuthContext, ended: readonly RevokedSession[]): void {
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
 * A page of revocations, oldest first.
 * @param cursor  `next` of the page before, which is read on from; else everything after `since`
 * @returns `at`, the store time before the look: with some slack the `since` of the next one
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

/**
 * Removes sessions whose tokens have expired, in batches, after a margin for gateways whose clock is behind.
 * @returns how many
 */
export async function deleteExpiredSessions({ db, clock }: AuthContext): Promise<number> {
  const before = clock.now() - expirySweep.expiredForMs;
  for (let swept = 0; ;) {
    const expired = await sessionsExpiredBefore(db, before, expirySweep.batch);
    if (expired.length > 0) await db.commit(expired.map(({ _id }) => remove(sessions, { _id })));
    swept += expired.length;
    if (expired.length < expirySweep.batch) return swept;
  }
}

/** Sweeps every minute. @returns stops it, and waits for a sweep that is running */
export function startExpirySweep(context: AuthContext): () => Promise<unknown> {
  let running: Promise<unknown> = Promise.resolve();
  const run = () =>
    deleteExpiredSessions(context).catch((error: unknown) => context.log.warn("Expired sessions stay until the next sweep", error));
  const timer = setInterval(() => (running = run()), expirySweep.everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    return running;
  };
}
