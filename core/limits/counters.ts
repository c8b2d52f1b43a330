/** What the adapters share: an allowance as rate-limiter-flexible's counters, and their answer as a verdict. */
import { BurstyRateLimiter, RateLimiterRes, type IRateLimiterOptions, type RateLimiterAbstract } from "rate-limiter-flexible";
import type { RateLimit, Limits, RateLimitResult } from "./limits.ts";

const burstWindows = 10;

/**
 * Counts by allowance and key.
 * @param prefix  of the counters' names
 * @param counter  makes one counter of an adapter
 * @returns a function that throws what the counters throw when they can't count
 */
export function counters(prefix: string, counter: (options: IRateLimiterOptions) => RateLimiterAbstract): Limits["consume"] {
  const known = new Map<string, Pick<RateLimiterAbstract, "consume">>();

  const counterOf = ({ name, points, windowMs, burst }: RateLimit) => {
    const keyPrefix = `${prefix}${name}`;
    // They count in whole seconds, and 0 would be for ever.
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
