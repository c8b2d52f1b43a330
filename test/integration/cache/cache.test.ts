/** Tests the cache port on every adapter, and the cache that two nodes share. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { registryOf } from "../../../core/metrics/declare.ts";
import { filledWith, neverFilled, startCacheNode, stopCacheNodes, loggedWarnings, type CacheNode } from "../../support/ports/cache-node.ts";
import { raceReadsAndWrites, type CacheRaceResult } from "../../support/ports/cache-race.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { redisUrl } from "../../support/infrastructure/infra.ts";
import { whileRedisAnswers } from "../../support/infrastructure/own-redis.ts";

afterEach(stopCacheNodes);

/** Runs each attempt on new nodes. */
const onNewNodes = (attempt: () => Promise<void>) => () =>
  whileRedisAnswers(loggedWarnings, async () => {
    await stopCacheNodes();
    await attempt();
  });

function suite(start: () => Promise<CacheNode>): void {
  const testWith = (title: string, attempt: (node: CacheNode) => Promise<void>) =>
    test(
      title,
      onNewNodes(async () => attempt(await start())),
    );

  testWith("a miss is filled from the store, the next read comes from the cache", async ({ cache }) => {
    expect(await cache.read("a", filledWith({ name: "Ada", at: 1 }))).toEqual({ value: { name: "Ada", at: 1 }, source: "database" });
    expect(await cache.read("a", neverFilled)).toEqual({ value: { name: "Ada", at: 1 }, source: "cache" });
    expect(await cache.read("b", filledWith("other"))).toEqual({ value: "other", source: "database" });
  });

  testWith("null is cached too, undefined is not", async ({ cache }) => {
    await cache.read("none", filledWith(null));
    expect(await cache.read("none", neverFilled)).toEqual({ value: null, source: "cache" });
    await cache.read("undefined", filledWith(undefined));
    expect(await cache.read("undefined", filledWith(1))).toEqual({ value: 1, source: "database" });
  });

  testWith("an invalidated key is read from the store again", async ({ cache }) => {
    await cache.read("a", filledWith(1));
    await cache.read("b", filledWith(1));
    await cache.invalidate(["a", "b", "never read"]);
    await cache.invalidate([]);
    expect(await cache.read("a", filledWith(2))).toEqual({ value: 2, source: "database" });
    expect(await cache.read("b", filledWith(2))).toEqual({ value: 2, source: "database" });
  });

  testWith("a fill that began before an invalidation is not cached after it", async ({ cache }) => {
    const old = Promise.withResolvers<number>();
    const began = Promise.withResolvers<undefined>();
    const slow = cache.read("a", () => (began.resolve(undefined), old.promise));
    await began.promise;
    await cache.invalidate(["a"]);
    old.resolve(1);
    expect(await slow).toEqual({ value: 1, source: "database" });
    expect(await cache.read("a", filledWith(2))).toEqual({ value: 2, source: "database" });
    expect(await cache.read("a", neverFilled)).toEqual({ value: 2, source: "cache" });
  });

  testWith("a failed fill rejects for its reader, and the next reader can fill", async ({ cache }) => {
    await expect(cache.read("a", neverFilled)).rejects.toThrow("the store was asked");
    expect(await cache.read("a", filledWith(1))).toEqual({ value: 1, source: "database" });
    expect(await cache.read("a", neverFilled)).toEqual({ value: 1, source: "cache" });
  });

  testWith("a reader that changes its value does not change anyone else's", async ({ cache }) => {
    const { value } = await cache.read("a", filledWith({ tags: ["x"] }));
    // In memory, where all readers share one frozen value, the change has no effect.
    Reflect.set((value as { tags: string[] }).tags, 1, "y");
    const again = await cache.read("a", neverFilled);
    expect(again.value).toEqual({ tags: ["x"] });
  });

  testWith("of reads that race 1,000 writes, none returns a value older than a completed write", async ({ cache }) => {
    const counts = await raceReadsAndWrites([cache], 42);
    console.info(counts);
    expect(counts.stale).toBe(0);
    expect(counts.cached).toBeGreaterThan(100);
  });

  testWith("the same race finds stale reads with a plain cacher", async ({ broker }) => {
    const cacher = broker.cacher!;
    const plain: CacheRaceResult = {
      async read<T>(key: string, fill: () => Promise<T>) {
        const held = (await cacher.get(key)) as T | null | undefined;
        if (held !== undefined && held !== null) return { value: held, source: "cache" as const };
        const value = await fill();
        await cacher.set(key, value);
        return { value, source: "database" as const };
      },
      invalidate: (keys) => cacher.del([...keys]),
    };
    expect((await raceReadsAndWrites([plain], 42)).stale).toBeGreaterThan(0);
  });

  testWith("hits and misses are counted", async ({ cache, broker }) => {
    await cache.read("a", filledWith(1));
    await cache.read("a", neverFilled);
    const text = await registryOf(broker).metrics();
    expect(text).toContain('parley_cache_reads_total{result="hit"} 1');
    expect(text).toContain('parley_cache_reads_total{result="miss"} 1');
    expect(text).toContain('parley_cache_reads_total{result="bypass"} 0');
  });
}

describe("the cache in memory", () => suite(() => startCacheNode()));
describeWith(["redis"], "the cache on Redis", () => suite(() => startCacheNode(redisUrl())));

describeWith(["redis"], "the cache on Redis, on two nodes", () => {
  test(
    "an invalidation on one node holds on the other, also while the other is filling",
    onNewNodes(async () => {
      const [a, b] = [await startCacheNode(redisUrl()), await startCacheNode(redisUrl())];
      // Once a's own connection has read the value from Redis, b can read it as well.
      await a.cache.read("x", filledWith(1));
      await a.cache.read("x", neverFilled);
      expect(await b.cache.read("x", neverFilled)).toEqual({ value: 1, source: "cache" });
      await b.cache.invalidate(["x"]);

      const old = Promise.withResolvers<number>();
      const began = Promise.withResolvers<undefined>();
      const slow = a.cache.read("x", () => (began.resolve(undefined), old.promise));
      await began.promise;
      await b.cache.invalidate(["x"]);
      old.resolve(1);
      await slow;
      expect(await b.cache.read("x", filledWith(2))).toEqual({ value: 2, source: "database" });
      await b.cache.read("x", neverFilled);
      expect(await a.cache.read("x", neverFilled)).toEqual({ value: 2, source: "cache" });
    }),
  );

  test(
    "of reads on both nodes that race 1,000 writes, none returns a value older than a completed write",
    onNewNodes(async () => {
      const [a, b] = [await startCacheNode(redisUrl()), await startCacheNode(redisUrl())];
      const counts = await raceReadsAndWrites([a.cache, b.cache], 7);
      console.info(counts);
      expect(counts.stale).toBe(0);
      expect(counts.cached).toBeGreaterThan(100);
    }),
  );
});
