/** What the security log tells of: each event with its fields, and how often it may be told. The table in docs/observability.md is made from it. */

interface SecurityEvent<F extends Readonly<Record<string, string>>> {
  /** The line's text, the same each time. */
  readonly message: string;
  /** When it is told. */
  readonly means: string;
  /** Its fields besides `userId`, `address` and `device`, with what they hold. */
  readonly fields: F;
  /** Lines a minute on one node: for one person or address, and for all. */
  readonly lineLimits: { readonly perKey: number; readonly total: number };
}

/** Costs whoever causes it an account or a password. */
const actionLines = { perKey: 30, total: 1000 } as const;
/** Costs nothing: whoever wants to can cause thousands a second. */
const refusalLines = { perKey: 10, total: 100 } as const;

const event = <const F extends Readonly<Record<string, string>>>(spec: SecurityEvent<F>): SecurityEvent<F> => spec;

export const securityEvents = {
  signed_up: event({ message: "Signed up", means: "an account was made, and its first session", fields: {}, lineLimits: actionLines }),
  logged_in: event({ message: "Logged in", means: "a session began with a password", fields: {}, lineLimits: actionLines }),
  log_in_failed: event({
    message: "Log-in failed",
    means: "a log-in was refused with 401",
    fields: {
      reason: "`wrong_password` or `unknown_account`",
      account: "of an unknown account: a keyed hash of the address of mail, the same for the same address",
    },
    lineLimits: refusalLines,
  }),
  password_changed: event({ message: "Password changed", means: "a person changed their password", fields: {}, lineLimits: actionLines }),
  password_change_failed: event({
    message: "Password change failed",
    means: "the old password was wrong",
    fields: {},
    lineLimits: refusalLines,
  }),
  sessions_revoked: event({
    message: "Sessions revoked",
    means: "sessions ended before their time; their tokens are refused from now on",
    fields: { reason: "`loggedOut` or `passwordChanged`", sessions: "how many" },
    lineLimits: actionLines,
  }),
  access_denied: event({
    message: "Access denied",
    means: "a request, socket event or handshake was refused with 403",
    fields: { request: "the route or event" },
    lineLimits: refusalLines,
  }),
  limit_reached: event({
    message: "Limit reached",
    means: "a request, socket event or connection was refused with 429",
    fields: { request: "the route or event", limit: "its name" },
    lineLimits: refusalLines,
  }),
  admin_action: event({
    message: "Admin action",
    means: "an operator listed dead letters, or handed them out again",
    fields: {
      action: "the action's name",
      group: "of the dead letters",
      eventId: "if only this one was replayed",
      letters: "how many were listed or replayed",
      caller: "the node it was called from; a REPL is one",
    },
    lineLimits: actionLines,
  }),
} as const;

export type SecurityEventName = keyof typeof securityEvents;
export const securityEventNames = Object.keys(securityEvents) as SecurityEventName[];
export type SecurityFields<E extends SecurityEventName> = {
  readonly [F in keyof (typeof securityEvents)[E]["fields"]]: string | number | undefined;
};
