/** What the adapters share: an allowance as rate-limiter-flexible's counters, and their answer as a verdict. */
import { BurstyRateLimiter, RateLimiterRes, type IRateLimiterOptions, type RateLimiterAbstract } from "rate-limiter-flexible";
import type { Allowance, Limits, Verdict } from "./limits.ts";

const burstWindows = 10;

/**
 * Counts by allowance and key.
 * @param prefix  of the counters' names
 * @param counter  makes one counter of an adapter
 * @returns a function that throws what the counters throw when they can't count
 */
export function counters(prefix: string, counter: (options: IRateLimiterOptions) => RateLimiterAbstract): Limits["take"] {
  const known = new Map<string, Pick<RateLimiterAbstract, "consume">>();

  const counterOf = ({ name, points, windowMs, burst }: Allowance) => {
    const keyPrefix = `${prefix}${name}`;
    // They count in whole seconds, and 0 would be for ever.
    const duration = Math.ceil(windowMs / 1000);
    const steady = counter({ keyPrefix, points, duration });
    if (burst === undefined) return steady;
    return new BurstyRateLimiter(steady, counter({ keyPrefix: `${keyPrefix}:burst`, points: burst, duration: duration * burstWindows }));
  };

  return async (allowance, key) => {
    const found = known.get(allowance.name) ?? counterOf(allowance);
    known.set(allowance.name, found);
    try {
      await found.consume(key);
      return { ok: true };
    } catch (refusal) {
      return refused(refusal);
    }
  };
}

function refused(refusal: unknown): Verdict {
  if (!(refusal instanceof RateLimiterRes)) throw refusal;
  return { ok: false, retryAfterMs: Math.max(1, Math.ceil(refusal.msBeforeNext)) };
}
