/** Declares the events of the security log, with their fields and line limits. The table in docs/security.md is generated from it. */

interface SecurityEvent<F extends Readonly<Record<string, string>>> {
  /** The constant text of the log line. */
  readonly message: string;
  /** When the event is logged. */
  readonly means: string;
  /** The fields besides `userId`, `address` and `device`, with their meanings. */
  readonly fields: F;
  /** Maximum lines per minute on a node: per user or address, and in total. */
  readonly lineLimits: { readonly perKey: number; readonly total: number };
}

/** Events that require an account or a password. */
const actionLines = { perKey: 30, total: 1000 } as const;
/** Events that require nothing: a client can cause thousands per second. */
const refusalLines = { perKey: 10, total: 100 } as const;

const event = <const F extends Readonly<Record<string, string>>>(spec: SecurityEvent<F>): SecurityEvent<F> => spec;

export const securityEvents = {
  signed_up: event({ message: "Signed up", means: "an account and its first session were created", fields: {}, lineLimits: actionLines }),
  logged_in: event({ message: "Logged in", means: "a user logged in with a password", fields: {}, lineLimits: actionLines }),
  log_in_failed: event({
    message: "Log-in failed",
    means: "a log-in was refused with 401",
    fields: {
      reason: "`wrong_password` or `unknown_account`",
      account: "for an unknown account: a keyed hash of the e-mail address, the same for the same address",
    },
    lineLimits: refusalLines,
  }),
  password_changed: event({ message: "Password changed", means: "a user changed their password", fields: {}, lineLimits: actionLines }),
  password_change_failed: event({
    message: "Password change failed",
    means: "the old password was wrong",
    fields: {},
    lineLimits: refusalLines,
  }),
  sessions_revoked: event({
    message: "Sessions revoked",
    means: "sessions were ended early; their tokens are refused from now on",
    fields: { reason: "`loggedOut` or `passwordChanged`", sessions: "their number" },
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
    fields: { request: "the route or event", limit: "the limit's name" },
    lineLimits: refusalLines,
  }),
  admin_action: event({
    message: "Admin action",
    means: "an operator listed or replayed dead letters",
    fields: {
      action: "the action's name",
      group: "the dead letters' consumer group",
      eventId: "the event, if only one was replayed",
      letters: "how many dead letters were listed or replayed",
      caller: "the calling node; a REPL is a node",
    },
    lineLimits: actionLines,
  }),
} as const;

export type SecurityEventName = keyof typeof securityEvents;
export const securityEventNames = Object.keys(securityEvents) as SecurityEventName[];
export type SecurityFields<E extends SecurityEventName> = {
  readonly [F in keyof (typeof securityEvents)[E]["fields"]]: string | number | undefined;
};
