/** Builds rate-limiter-flexible counters from rate limits and converts their results, for every adapter. */
import { BurstyRateLimiter, RateLimiterRes, type IRateLimiterOptions, type RateLimiterAbstract } from "rate-limiter-flexible";
import type { RateLimit, Limits, RateLimitResult } from "./limits.ts";

const burstWindows = 10;

/**
 * Counts by limit and key.
 * @param prefix  of the counter names
 * @param counter  creates one counter of an adapter
 * @returns a function that throws the counters' errors when they can't count
 */
export function counters(prefix: string, counter: (options: IRateLimiterOptions) => RateLimiterAbstract): Limits["consume"] {
  const known = new Map<string, Pick<RateLimiterAbstract, "consume">>();

  const counterOf = ({ name, points, windowMs, burst }: RateLimit) => {
    const keyPrefix = `${prefix}${name}`;
    // Counters use whole seconds, and 0 would mean for ever.
    const duration = Math.ceil(windowMs / 1000);
    const steady = counter({ keyPrefix, points, duration });
    if (burst === undefined) return steady;
    return new BurstyRateLimiter(steady, counter({ keyPrefix: `${keyPrefix}:burst`, points: burst, duration: duration * burstWindows }));
  };

  return async (limit, key) => {
    const found = known.get(limit.name) ?? counterOf(limit);
    known.set(limit.name, found);
    try {
      await found.consume(key);
      return { ok: true };
    } catch (refusal) {
      return resultOf(refusal);
    }
  };
}

function resultOf(refusal: unknown): RateLimitResult {
  if (!(refusal instanceof RateLimiterRes)) throw refusal;
  return { ok: false, retryAfterMs: Math.max(1, Math.ceil(refusal.msBeforeNext)) };
}
