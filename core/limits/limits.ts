/**
 * The limits port: how often something may happen per key. Counted in Redis, so that a person has one allowance on all gateways;
 * in memory while Redis is away, and in embedded mode. Adapters: `memory.ts`, `redis.ts`.
 */
import type { Health } from "../health.ts";

export interface RateLimit {
  /** Names the counter, so no two allowances share one: `http`, `login`. */
  readonly name: string;
  /** How many in a window. */
  readonly points: number;
  /** Counted in whole seconds. */
  readonly windowMs: number;
  /** Extra points for short bursts, refilled over ten windows. */
  readonly burst?: number;
}

export type RateLimitResult = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

export interface Limits {
  /** Counts one and says whether it is within the allowance. Never throws; when nothing can count, it allows. */
  consume(limit: RateLimit, key: string): Promise<RateLimitResult>;
  health(): Health;
  close(): Promise<void>;
}
