/** The cache port's suite, on both adapters, and the cache that two nodes share. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { registryOf } from "../../../core/metrics/declare.ts";
import { filledWith, neverFilled, startCacheNode, stopCacheNodes, loggedWarnings, type CacheNode } from "../../support/ports/cache-node.ts";
import { raceReadsAndWrites, type CacheRaceResult } from "../../support/ports/cache-race.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { redisUrl } from "../../support/infrastructure/infra.ts";
import { whileRedisAnswers } from "../../support/infrastructure/own-redis.ts";

afterEach(stopCacheNodes);

/** On nodes without a past, each time it is tried. */
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

  testWith("that there is nothing is remembered too; undefined is not", async ({ cache }) => {
    await cache.read("none", filledWith(null));
    expect(await cache.read("none", neverFilled)).toEqual({ value: null, source: "cache" });
    await cache.read("undefined", filledWith(undefined));
    expect(await cache.read("undefined", filledWith(1))).toEqual({ value: 1, source: "database" });
  });

  testWith("what is forgotten is read from the store again", async ({ cache }) => {
    await cache.read("a", filledWith(1));
    await cache.read("b", filledWith(1));
    await cache.invalidate(["a", "b", "never read"]);
    await cache.invalidate([]);
    expect(await cache.read("a", filledWith(2))).toEqual({ value: 2, source: "database" });
    expect(await cache.read("b", filledWith(2))).toEqual({ value: 2, source: "database" });
  });

  testWith("a fill that began before a forget does not get in after it", async ({ cache }) => {
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

  testWith("a fill that fails tells its reader and leaves the next one free to fill", async ({ cache }) => {
    await expect(cache.read("a", neverFilled)).rejects.toThrow("the store was asked");
    expect(await cache.read("a", filledWith(1))).toEqual({ value: 1, source: "database" });
    expect(await cache.read("a", neverFilled)).toEqual({ value: 1, source: "cache" });
  });

  testWith("a reader that changes what it was given changes nobody else's", async ({ cache }) => {
    const { value } = await cache.read("a", filledWith({ tags: ["x"] }));
    // In memory, where all share one value, it is not even done.
    Reflect.set((value as { tags: string[] }).tags, 1, "y");
    const again = await cache.read("a", neverFilled);
    expect(again.value).toEqual({ tags: ["x"] });
  });

  testWith("1,000 writes raced by reads: none is older than an answered write", async ({ cache }) => {
    const counts = await raceReadsAndWrites([cache], 42);
    console.info(counts);
    expect(counts.stale).toBe(0);
    expect(counts.cached).toBeGreaterThan(100);
  });

  testWith("the same race sees a plain cacher fail", async ({ broker }) => {
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
    "what one forgets is forgotten for the other, also while that one is filling",
    onNewNodes(async () => {
      const [a, b] = [await startCacheNode(redisUrl()), await startCacheNode(redisUrl())];
      // What one keeps is there for the other when that one's own connection has seen it.
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
    "1,000 writes raced by reads on both: none is older than an answered write on either",
    onNewNodes(async () => {
      const [a, b] = [await startCacheNode(redisUrl()), await startCacheNode(redisUrl())];
      const counts = await raceReadsAndWrites([a.cache, b.cache], 7);
      console.info(counts);
      expect(counts.stale).toBe(0);
      expect(counts.cached).toBeGreaterThan(100);
    }),
  );
});
