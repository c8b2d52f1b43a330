/** Starts and ends sessions. Each log-in starts one, and its token names it. */
import type { AuthContext } from "../context.ts";
import type { ClientInfo } from "../../../core/contract/call.ts";
import { codeOf } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { storeTime, update } from "../../../core/store/store.ts";
import type { SecurityActor } from "../../../core/security/log.ts";
import { signToken } from "../../../core/security/access-tokens.ts";
import type { AccountRow } from "../accounts.repository.ts";
import type { LogIn } from "../contract.ts";
import * as present from "../present.ts";
import { publishRevocations } from "./revocations.ts";
import { sessions, type RevokedSession, type SessionRow } from "./sessions.repository.ts";

const sessionLifetimeMs = 24 * 60 * 60_000;

/** Makes the row of a new session. The caller stores it. */
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
    // A token expires at a whole second, and its session with it.
    expiresAt: Math.floor((now + sessionLifetimeMs) / 1000) * 1000,
    revokedAt: null,
    reason: null,
  };
}

/** The answer to the user who started this session. */
export function logInResult(
  { jwtSecrets, installation }: AuthContext,
  account: AccountRow,
  { _id: sessionId, expiresAt, createdAt }: SessionRow,
): LogIn {
  const token = signToken({ userId: account._id, sessionId, era: installation.era(), expiresAt }, jwtSecrets, createdAt);
  return { account: present.account(account), sessionId, token, expiresAt };
}

/** Ends a session. A session that has already ended does not change. */
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
