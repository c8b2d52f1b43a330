/**
 * Defines the cache port. A read that starts after `invalidate` resolved never returns a value from before it; while Redis is unreachable,
 * a value may be up to `ttlSeconds` old. A plain cacher breaks that: a reader that missed before a write can fill the cache after the
 * writer cleared it. Here a fill needs the lease that its miss received, and `invalidate` revokes all leases. Adapters: `memory.ts` and
 * `redis.ts`, on the broker's cacher (`cacher.ts`).
 */
import type { Health } from "../health.ts";

export interface Cache {
  /**
   * Returns the cached value of this key, or else the result of `fill`. The value must be plain JSON; `undefined` is not cached.
   * @param key  e.g. `profile:<id>`; never a key that decides about access
   */
  read<T>(key: string, fill: () => Promise<T>): Promise<{ value: T; source: "cache" | "database" }>;
  /** Removes the values and revokes all leases of these keys. Call it after the commit and before the reply. Never throws. */
  invalidate(keys: readonly string[]): Promise<void>;
  health(): Health;
}

export const ttlSeconds = 60;
