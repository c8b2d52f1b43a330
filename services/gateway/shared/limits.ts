/** Defines the gateway's rate limits, over HTTP and sockets. */
import { TooMany } from "../../../core/errors.ts";
import { counter } from "../../../core/metrics/declare.ts";
import type { RateLimit, Limits } from "../../../core/limits/limits.ts";

const quarterHourMs = 15 * 60 * 1000;

/** All requests: per user with a session, else per address. */
export const requestsPerCaller = { name: "http", points: 10, windowMs: 1000, burst: 20 } as const satisfies RateLimit;

/** Slows down guessing one account's password from one address. */
export const logIns: RateLimit = { name: "login", points: 15, windowMs: quarterHourMs };
/** Against guesses from many addresses. High enough that strangers can hardly lock an account's owner out. */
export const logInsPerAccount: RateLimit = { name: "login-account", points: 300, windowMs: quarterHourMs };
/** Against guesses at many accounts from one address. */
export const logInsPerAddress: RateLimit = { name: "login-address", points: 200, windowMs: quarterHourMs };
/** Keeps a stolen session from being used to guess the password. */
export const passwordChanges: RateLimit = { name: "password", points: 15, windowMs: quarterHourMs };
export const signUpsPerAddress: RateLimit = { name: "signup-address", points: 200, windowMs: quarterHourMs };

/**
 * Limits that each gateway counts in its own memory: what a user sends, messages apart from other events, and new connections from one
 * address. Offices share an address, and all their clients reconnect after a restart.
 */
export const socketLimits = {
  messages: { perSecond: 10, burst: 30 },
  others: { perSecond: 10, burst: 20 },
  connections: { perSecond: 50, burst: 300 },
} as const;
/** As metrics and the security log name it. */
export const socketLimitName = (limit: keyof typeof socketLimits) => `socket-${limit}` as const;

/** Counts refusals of the limits on sockets too. */
export const rateLimited = counter("parley_rate_limited_total", "Requests, socket events and connections refused by a rate limit", [
  "limit",
]);

const httpLimits = [requestsPerCaller, logIns, logInsPerAccount, logInsPerAddress, passwordChanges, signUpsPerAddress];
const socketLimitNames = (Object.keys(socketLimits) as (keyof typeof socketLimits)[]).map(socketLimitName);
for (const limit of [...httpLimits.map(({ name }) => name), ...socketLimitNames]) rateLimited.of().inc({ limit }, 0);

/** Counts one use. @throws TooMany */
export async function enforceLimit(limits: Limits, limit: RateLimit, key: string): Promise<void> {
  const verdict = await limits.consume(limit, key);
  if (verdict.ok) return;
  rateLimited.of().inc({ limit: limit.name });
  throw new TooMany(verdict.retryAfterMs, undefined, limit.name);
}
