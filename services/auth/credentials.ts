/** Starts sessions by sign-up and by password, and changes passwords. */
import type { ClientInfo } from "../../core/contract/call.ts";
import { Conflict, Invalid, Unauthenticated } from "../../core/errors.ts";
import { newId } from "../../core/ids.ts";
import { accountHashOf } from "../../core/security/log.ts";
import { commitWithRetry } from "../../core/store/commit-with-retry.ts";
import { Duplicate, expect, insert, storeTime, update, updateAll } from "../../core/store/store.ts";
import { announce } from "../../mixins/outbox.ts";
import { accountByEmail, accounts, type AccountRow } from "./accounts.repository.ts";
import { authEvents, type LogIn } from "./contract.ts";
import { hashPassword, isPassword } from "./passwords.ts";
import * as present from "./present.ts";
import { logInResult, newSession } from "./sessions/sessions.ts";
import { publishRevocationsAt } from "./sessions/revocations.ts";
import type { AuthContext } from "./context.ts";
import { sessions } from "./sessions/sessions.repository.ts";

/**
 * Stores account, session and event in one commit, so an interrupted sign-up leaves nothing behind.
 * @throws Conflict  an account with this address exists
 */
export async function signUp(
  context: AuthContext,
  { password, ...who }: { readonly firstName: string; readonly lastName: string; readonly emailId: string; readonly password: string },
  client: ClientInfo | undefined,
): Promise<LogIn> {
  const passwordHash = await hashPassword(password, context.config.PASSWORD_COST);
  const account: AccountRow = { _id: newId(), ...who, passwordHash, passwordRev: 1, rev: 1, createdAt: context.clock.now() };
  const session = newSession(context, account, client);
  try {
    await context.db.commit([
      insert(accounts, account),
      insert(sessions, session),
      announce(authEvents["user.created"], { key: account._id, rev: account.rev, payload: present.account(account) }),
    ]);
  } catch (error) {
    if (error instanceof Duplicate && error.index === "byEmail") throw new Conflict("There is an account with this e-mail address already");
    throw error;
  }
  context.security.record("signed_up", { userId: account._id, client });
  return logInResult(context, account, session);
}

/** @throws Unauthenticated  unknown address or wrong password; both take the same time and look the same */
export async function logIn(
  context: AuthContext,
  { emailId, password }: { readonly emailId: string; readonly password: string },
  client: ClientInfo | undefined,
): Promise<LogIn> {
  const { outcome } = await commitWithRetry(context.db, async () => {
    const account = await accountByEmail(context.db, emailId);
    const isPasswordRight = await isPassword(password, account?.passwordHash, context.config.PASSWORD_COST);
    if (account === undefined || !isPasswordRight) {
      noteFailedLogIn(context, account, emailId, client);
      throw new Unauthenticated("Wrong e-mail address or password");
    }
    const session = newSession(context, account, client);
    return {
      // A password change meanwhile must also end this new session.
      operations: [expect(accounts, { _id: account._id, passwordRev: account.passwordRev }), insert(sessions, session)],
      outcome: { account, session },
    };
  });
  context.security.record("logged_in", { userId: outcome.account._id, client });
  return logInResult(context, outcome.account, outcome.session);
}

function noteFailedLogIn(
  { security, jwtSecrets }: AuthContext,
  account: AccountRow | undefined,
  emailId: string,
  client: ClientInfo | undefined,
): void {
  const reason = account === undefined ? "unknown_account" : "wrong_password";
  const hash = account === undefined ? accountHashOf(emailId, jwtSecrets[0]) : undefined;
  security.record("log_in_failed", { userId: account?._id, client }, { reason, account: hash });
}

/**
 * Replaces the password and ends every other session of its owner, in one commit.
 * @throws Invalid          the new password is the old one
 * @throws Unauthenticated  the old password is wrong, or the session has ended
 */
export async function changePassword(
  context: AuthContext,
  { oldPassword, newPassword }: { readonly oldPassword: string; readonly newPassword: string },
  user: { readonly id: string; readonly sessionId: string },
  client: ClientInfo | undefined,
): Promise<void> {
  const { db, config, security } = context;
  const who = { userId: user.id, client };
  if (newPassword === oldPassword) {
    throw new Invalid("The new password is the old one", [{ field: "newPassword", message: "must differ from the old password" }]);
  }
  const { at } = await commitWithRetry(db, async () => {
    const [account, session] = await Promise.all([db.get(accounts, user.id), db.get(sessions, user.sessionId)]);
    if (account === undefined || session?.revokedAt !== null) throw new Unauthenticated();
    if (!(await isPassword(oldPassword, account.passwordHash, config.PASSWORD_COST))) {
      security.record("password_change_failed", who);
      throw new Unauthenticated("The old password is wrong");
    }
    const { passwordRev } = account;
    const next = { passwordHash: await hashPassword(newPassword, config.PASSWORD_COST), passwordRev: passwordRev + 1 };
    return {
      operations: [
        update(accounts, { _id: account._id, passwordRev }, next),
        // This session continues with the new password. Sessions of the old password end, and no ended session is revived.
        update(sessions, { _id: session._id, revokedAt: null }, { passwordRev: next.passwordRev, lastUsedAt: storeTime }),
        updateAll(sessions, { userId: account._id, revokedAt: null, passwordRev }, { revokedAt: storeTime, reason: "passwordChanged" }),
      ],
      outcome: undefined,
    };
  });
  security.record("password_changed", who);
  const ended = await publishRevocationsAt(context, user.id, at);
  if (ended > 0) security.record("sessions_revoked", who, { reason: "passwordChanged", sessions: ended });
}
