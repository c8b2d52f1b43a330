/** A token bucket per person, in this gateway's memory: for what must be counted in order and at once, messages and events. */
export interface LocalRateLimiter {
  /** @returns 0 when it may happen now; else the milliseconds until it may */
  consume(key: string): number;
}

/** Buckets kept; those not used for longest go first. */
const maxBuckets = 100_000;

/**
 * @param burst  how many at once after a pause
 * @param now    milliseconds that never go back, as a wall clock may
 */
export function tokenBucket(perSecond: number, burst: number, now: () => number = () => performance.now()): LocalRateLimiter {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    consume(key) {
      const time = now();
      const bucket = buckets.get(key) ?? { tokens: burst, at: time };
      const tokens = Math.min(burst, bucket.tokens + ((time - bucket.at) / 1000) * perSecond);
      const isAllowed = tokens >= 1;
      buckets.delete(key);
      buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, at: time });
      if (buckets.size > maxBuckets) buckets.delete(buckets.keys().next().value!);
      return isAllowed ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
    },
  };
}

export const unlimited: LocalRateLimiter = { consume: () => 0 };
