/** Lets writers and readers race for the same cached rows, to count reads that are older than a completed write. */
import { setTimeout as pause } from "node:timers/promises";
import type { Cache } from "../../../core/cache/cache.ts";
import { seeded } from "../random.ts";

/** One or several nodes' caches. */
export type CacheRaceResult = Pick<Cache, "read" | "invalidate">;

/**
 * Writers and readers of five keys at random; a fill reads its row some time before it returns.
 * @returns how many reads were older than a write that had completed when they started, and how many came from the cache
 */
export async function raceReadsAndWrites(
  caches: readonly CacheRaceResult[],
  seed: number,
): Promise<{ reads: number; stale: number; cached: number }> {
  const random = seeded(seed);
  const someTime = () => (random() < 0.3 ? undefined : pause(random() * 4));
  const any = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const rows = Array.from({ length: 5 }, (_, i) => ({ key: `row:${i}`, stored: 0, answered: 0 }));
  const counts = { reads: 0, stale: 0, cached: 0 };
  let writes = 0;

  const writer = async () => {
    while (writes++ < 1000) {
      const row = any(rows);
      await someTime();
      const version = ++row.stored;
      await any(caches).invalidate([row.key]);
      row.answered = Math.max(row.answered, version);
    }
  };
  const reader = async () => {
    while (writes < 1000) {
      const row = any(rows);
      const atLeast = row.answered;
      const { value, source } = await any(caches).read(row.key, async () => {
        await someTime();
        const { stored } = row;
        await someTime();
        return { stored };
      });
      counts.reads += 1;
      if (value.stored < atLeast) counts.stale += 1;
      if (source === "cache") counts.cached += 1;
      await someTime();
    }
  };
  await Promise.all([...Array.from({ length: 4 }, writer), ...Array.from({ length: 12 }, reader)]);
  return counts;
}
