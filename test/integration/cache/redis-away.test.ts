/** Tests the cache while Redis is frozen, dead or starting: reads stay fast, and keys that could not be invalidated are not served. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Redis } from "ioredis";
import type { Cachers } from "moleculer";
import { filledWith, name, neverFilled, startCacheNode, stopCacheNodes, type CacheNode } from "../../support/ports/cache-node.ts";
import { eventually, within } from "../../support/eventually.ts";
import { describeOwnRedis } from "../../support/systems/describe-with.ts";
import { startOwnRedis, type OwnRedis } from "../../support/infrastructure/own-redis.ts";
import { openTcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

describeOwnRedis("the cache while Redis is away", () => {
  let redis: OwnRedis;
  let node: CacheNode;
  beforeEach(async () => {
    redis = await startOwnRedis();
    node = await startCacheNode(redis.url);
  });
  afterEach(async () => {
    await stopCacheNodes();
    await redis.stop();
  });

  const isBack = () => eventually("the breaker closes", () => node.cache.health().ok, 60_000);
  const thousandReads = async () => {
    for (let i = 0; i < 1000; i++) await node.cache.read("a", filledWith("store"));
  };
  const cachedAgain = async (key: string, value: unknown) => {
    const values: unknown[] = [];
    const isCached = async () => {
      const answer = await node.cache.read(key, filledWith(value));
      values.push(answer.value);
      return answer.source === "cache";
    };
    await eventually(`${key} comes from the cache again`, isCached, 60_000);
    expect(values).toEqual(values.map(() => value));
  };

  test("a cached value and an unused lease live at most a minute together", async () => {
    await cachedAgain("kept", 1);
    await node.cache.read("failed", neverFilled).catch(() => undefined);
    const { client } = node.broker.cacher as Cachers.Redis<Pick<Redis, "pttl">>;
    const [kept, lease] = [await client.pttl(`${name}:cache-kept`), await client.pttl(`${name}:cache-failed`)];
    expect(Math.min(kept, lease)).toBeGreaterThan(0);
    expect(kept + lease).toBeLessThanOrEqual(60_000);
  });

  test("a frozen Redis delays one read briefly and no further ones, and is used again when it is back", async () => {
    await node.cache.read("a", filledWith("cached"));
    redis.freeze();
    await within(600, "the first read is answered", node.cache.read("a", filledWith("store")));
    await within(200, "a thousand more are answered", thousandReads());
    expect(node.cache.health()).toEqual({ ok: false, detail: expect.stringContaining("circuit breaker open") });

    redis.thaw();
    await isBack();
    await cachedAgain("a", "cached");
    // A pause of the machine can add two more lines.
    expect(node.log.slice(0, 2)).toEqual(["Redis is away (cache): reading the store meanwhile", "Redis is back (cache)"]);
  });

  test("a killed Redis delays no read, and is used again after it has started", async () => {
    await redis.kill();
    await within(500, "a thousand reads are answered", thousandReads());
    expect(node.cache.health().ok).toBe(false);
    await redis.start();
    await isBack();
    await cachedAgain("a", "store");
  });

  test("a key that could not be invalidated is never served, even if Redis kept it over its restart", async () => {
    const proxy = await openTcpProxy(redis.url);
    const { cache } = (node = await startCacheNode(proxy.url));
    await cachedAgain("a", "old");
    await redis.kill();
    await within(600, "the invalidation resolves", cache.invalidate(["a"]));
    expect(await cache.read("a", filledWith("new"))).toEqual({ value: "new", source: "database" });
    await proxy.cut(); // Otherwise the node would invalidate the key before the test looks.
    await redis.start();
    expect(await redis.prefixed(name)).toEqual([`${name}:cache-a`]);
    await proxy.mend();
    await cachedAgain("a", "new");
    await proxy.close();
  });

  test("an invalidation that a frozen Redis did not answer is repeated", async () => {
    // A frozen Redis would run commands that its socket already has. The proxy loses them.
    const proxy = await openTcpProxy(redis.url);
    const { cache } = (node = await startCacheNode(proxy.url));
    await cachedAgain("a", "old");
    proxy.freeze();
    await within(600, "the invalidation resolves", cache.invalidate(["a"]));
    expect(await cache.read("a", filledWith("new"))).toEqual({ value: "new", source: "database" });
    await proxy.cut();
    expect(await redis.prefixed(name)).toEqual([`${name}:cache-a`]);
    await proxy.mend();
    await cachedAgain("a", "new");
    await proxy.close();
  });

  test("after too many missed invalidations the whole cache is emptied before it is used again, without a read", async () => {
    const keys = Array.from({ length: 1500 }, (_, i) => `many:${i}`);
    await node.cache.read("many:1", filledWith("old"));
    await node.cache.read("bystander", filledWith("old"));
    await redis.kill();
    await node.cache.invalidate(keys);
    await redis.start();
    // Less than a minute, after which every key has expired anyway.
    await eventually("the cache is emptied", async () => (await redis.prefixed(name)).length === 0, 30_000);
    await isBack();
    await cachedAgain("many:1", "new");
  });

  test("the node can stop while Redis is down", async () => {
    redis.freeze();
    await within(3000, "the node ended", node.broker.stop());
  });
});
