/**
 * Defines the limits port: how often something may happen per key. A mesh counts in Redis, so that a user has one limit across all
 * gateways, and in memory while Redis is away; an embedded server counts in memory. Adapters: `memory.ts`, `redis.ts`.
 */
import type { Health } from "../health.ts";

export interface RateLimit {
  /** Name of the counter, unique for each limit: `http`, `login`. */
  readonly name: string;
  /** Maximum number per window. */
  readonly points: number;
  /** Rounded up to whole seconds. */
  readonly windowMs: number;
  /** Extra points for short bursts, refilled over ten windows. */
  readonly burst?: number;
}

export type RateLimitResult = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

export interface Limits {
  /** Counts one event and returns whether it is within the limit. Never throws; when counting fails, it allows. */
  consume(limit: RateLimit, key: string): Promise<RateLimitResult>;
  health(): Health;
  close(): Promise<void>;
}
