/** Declares auth's actions and events: accounts, passwords, sessions, and their revocation. */
import { contract, events, returns } from "../../core/contract/contract.ts";
import { channel } from "../../core/feed/feed.ts";
import { emailAddress, id, visibleName } from "../../core/contract/rules.ts";
import { atMost72Bytes } from "./password-rule.ts";
import type { OwnAccount } from "./documents.ts";

export * from "./documents.ts";

const name = { ...visibleName, min: 2, max: 60 } as const;
/** At least 8 characters with a lower and an upper case letter, a digit and a symbol; at most 72 bytes. */
const newPassword = {
  type: "string",
  min: 8,
  max: 72,
  pattern: /^(?=.*\p{Ll})(?=.*\p{Lu})(?=.*\d)(?=.*[^\p{L}\d\s]).*$/su,
  messages: { stringPattern: "must have a lower and an upper case letter, a digit and a symbol" },
  custom: atMost72Bytes,
} as const;
const presentedPassword = { type: "string", min: 1, max: 72, custom: atMost72Bytes } as const;

/** An account as auth shares it with other services. */
export interface Account {
  readonly userId: string;
  readonly emailId: string;
  readonly firstName: string;
  readonly lastName: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** A new session. `token` is the access JWT; `expiresAt` is in epoch milliseconds. */
export interface LogIn {
  readonly account: Account;
  readonly sessionId: string;
  readonly token: string;
  readonly expiresAt: number;
}

/** A session that ended before its token did. Times are epoch milliseconds. */
export interface Revocation {
  readonly sessionId: string;
  readonly userId: string;
  readonly reason: RevocationReason;
  readonly revokedAt: number;
  readonly expiresAt: number;
}
export type RevocationReason = "loggedOut" | "passwordChanged" | "revoked" | "accountDeleted";

/** The feed channel on which auth announces `Revocation`s to every gateway. */
export const revocationsChannel = channel<Revocation>("revocations");

export const auth = contract("auth", {
  signUp: {
    summary: "Create an account and a session",
    access: "public",
    errors: { CONFLICT: "An account with this address exists." },
    params: { firstName: name, lastName: name, emailId: emailAddress, password: newPassword },
    result: returns<LogIn>(),
    policy: { timeoutMs: 10_000, bulkhead: { concurrency: 4, maxQueueSize: 100 } },
  },
  logIn: {
    summary: "Start a session with a password",
    access: "public",
    errors: { UNAUTHENTICATED: "The address or the password is wrong." },
    params: { emailId: emailAddress, password: presentedPassword },
    result: returns<LogIn>(),
    policy: { timeoutMs: 10_000, bulkhead: { concurrency: 4, maxQueueSize: 100 } },
  },
  logOut: {
    summary: "End the session and disconnect its sockets on every gateway",
    access: "user",
    params: {},
    result: returns<null>(),
  },
  changePassword: {
    summary: "Change the password; every other session ends",
    access: "user",
    errors: { UNAUTHENTICATED: "The old password is wrong." },
    params: { oldPassword: presentedPassword, newPassword },
    result: returns<null>(),
    policy: { timeoutMs: 10_000, bulkhead: { concurrency: 4, maxQueueSize: 100 } },
  },
  userByEmail: {
    summary: "The id of the user with this address",
    access: "user",
    errors: { NOT_FOUND: "No user has this address." },
    params: { emailId: emailAddress },
    result: returns<{ userId: string }>(),
    policy: { retries: 2 },
  },
  me: {
    summary: "Your own account",
    access: "user",
    params: {},
    result: returns<OwnAccount>(),
    policy: { retries: 2 },
  },
  accounts: {
    summary: "Accounts by id; unknown ids are left out",
    access: "service",
    params: { userIds: { type: "array", items: id, max: 1000 } },
    result: returns<Account[]>(),
    policy: { retries: 2 },
  },
  accountByEmail: {
    summary: "The account with this address, or null",
    access: "service",
    params: { emailId: emailAddress },
    result: returns<Account | null>(),
    policy: { retries: 2 },
  },
  revocations: {
    summary: "Sessions revoked after a store time whose tokens have not expired, oldest first, with the store time for the next call",
    access: "service",
    params: {
      since: { type: "number" },
      cursor: { type: "string", pattern: /^\d{1,15}:[0-9a-f]{24}$/, optional: true },
      limit: { type: "number", integer: true, min: 1, max: 1000, default: 1000 },
    },
    result: returns<{ revocations: Revocation[]; at: number; next?: string }>(),
    policy: { retries: 1 },
  },
});

/**
 * The account after a change; `rev` counts its changes. No action deletes an account yet, but followers must handle `user.deleted`
 * already.
 */
export const authEvents = events("auth", {
  "user.created": returns<Account>(),
  "user.changed": returns<Account>(),
  /** To be announced only when no call of the user can come any more: their sessions have ended on every gateway, and calls under way too. */
  "user.deleted": returns<{ readonly userId: string }>(),
});
