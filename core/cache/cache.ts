/**
 * The cache port: guarded reads by key. What is promised: no read that starts after `forget` resolved returns what was filled
 * from before it; while Redis is cut off, at most `ttl` old. A plain cacher breaks that: a reader that missed before a write
 * fills after the writer's clean. Here a fill needs the lease its miss took, and `forget` takes every lease away. Adapters:
 * `memory.ts`, `redis.ts`, on the broker's cacher (`cacher.ts`).
 */
import type { Health } from "../health.ts";

export interface Cache {
  /**
   * The value under this key, from the cache or else from `fill`. It must be plain JSON; `undefined` is not kept.
   * @param key  e.g. `profile:<id>`; never a key that decides about access
   */
  read<T>(key: string, fill: () => Promise<T>): Promise<{ value: T; source: "cache" | "database" }>;
  /** Drops the values and all leases under way. Call it after the commit and before the answer. Never throws. */
  invalidate(keys: readonly string[]): Promise<void>;
  health(): Health;
}

export const ttlSeconds = 60;
