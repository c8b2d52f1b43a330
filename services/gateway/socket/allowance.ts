/** A token bucket per person, in this gateway's memory: for what must be counted in order and at once, messages and events. */
export interface Allowance {
  /** @returns 0 when it may happen now; else the milliseconds until it may */
  take(key: string): number;
}

/** Buckets kept; those not used for longest go first. */
const kept = 100_000;

/**
 * @param burst  how many at once after a pause
 * @param now    milliseconds that never go back, as a wall clock may
 */
export function allowance(perSecond: number, burst: number, now: () => number = () => performance.now()): Allowance {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take(key) {
      const time = now();
      const bucket = buckets.get(key) ?? { tokens: burst, at: time };
      const tokens = Math.min(burst, bucket.tokens + ((time - bucket.at) / 1000) * perSecond);
      const isAllowed = tokens >= 1;
      buckets.delete(key);
      buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, at: time });
      if (buckets.size > kept) buckets.delete(buckets.keys().next().value!);
      return isAllowed ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
    },
  };
}

export const unlimited: Allowance = { take: () => 0 };
