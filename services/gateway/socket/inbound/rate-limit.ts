/**
 * Limits rates with token buckets in this gateway's memory. Messages and events are counted here because they must be counted in
 * order and at once.
 */
export interface LocalRateLimiter {
  /** @returns 0 when allowed; otherwise the milliseconds until it is */
  consume(key: string): number;
}

/** Buckets kept. The least recently used are dropped first. */
const maxBuckets = 100_000;

/**
 * @param burst  how many are allowed at once after a pause
 * @param now    a clock in milliseconds that never goes back, unlike the wall clock
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
