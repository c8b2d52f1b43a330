/** Tests the limits port on every adapter, and Redis when it is shared, frozen, killed and started again. */
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { ServiceBroker } from "moleculer";
import type { RateLimit, Limits, RateLimitResult } from "../../../core/limits/limits.ts";
import { openMemoryLimits, unlimited } from "../../../core/limits/memory.ts";
import { openRedisLimits } from "../../../core/limits/redis.ts";
import { eventually, within } from "../../support/eventually.ts";
import { describeOwnRedis, describeWith } from "../../support/systems/describe-with.ts";
import { redisUrl } from "../../support/infrastructure/infra.ts";
import { startOwnRedis, whileRedisAnswers, type OwnRedis } from "../../support/infrastructure/own-redis.ts";

const opened: Limits[] = [];
const lines: string[] = [];

function open(limits: Limits): Promise<Limits> {
  opened.push(limits);
  return eventually("the limits are connected", () => limits.health().ok && limits);
}
const testPrefix = `test-${randomBytes(5).toString("hex")}:`;
let meshes = 0;
function openOnRedis(url: string, prefix = `${testPrefix}${++meshes}:`): Promise<Limits> {
  const silent = new ServiceBroker({ logger: false, skipProcessEventRegistration: true }).getLogger("TEST");
  const log = { ...silent, info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  return open(openRedisLimits({ url, prefix, log }));
}
const closeAll = async () => {
  await Promise.all(opened.splice(0).map((limits) => limits.close()));
  lines.length = 0;
};
afterEach(closeAll);
/** Runs each attempt on new limits. */
const onNewLimits = (attempt: () => Promise<void>) => () =>
  whileRedisAnswers(
    () => lines,
    async () => {
      await closeAll();
      await attempt();
    },
  );

// Far longer than a test takes, so that no window ends during a test.
const five: RateLimit = { name: "five", points: 5, windowMs: 60_000 };
const fiveAndThree: RateLimit = { name: "burst", points: 5, windowMs: 60_000, burst: 3 };
const twoASecond: RateLimit = { name: "second", points: 2, windowMs: 1000 };

const consume = (limits: Limits, limit: RateLimit, times: number, key = "me"): Promise<RateLimitResult[]> =>
  Promise.all(Array.from({ length: times }, () => limits.consume(limit, key)));
const allowed = (results: readonly RateLimitResult[]) => results.filter(({ ok }) => ok).length;

function suite(start: () => Promise<Limits>): void {
  const testWith = (title: string, attempt: (limits: Limits) => Promise<void>) =>
    test(
      title,
      onNewLimits(async () => attempt(await start())),
    );

  testWith("as many calls as the limit has points are allowed, then no more", async (limits) => {
    expect(allowed(await consume(limits, five, 5))).toBe(5);
    expect(allowed(await consume(limits, five, 5))).toBe(0);
  });

  testWith("a refusal says when the window ends", async (limits) => {
    await consume(limits, five, 5);
    const result = await limits.consume(five, "me");
    expect(result).toEqual({ ok: false, retryAfterMs: expect.any(Number) });
    const { retryAfterMs } = result as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  testWith("a burst is allowed in addition, once", async (limits) => {
    expect(allowed(await consume(limits, fiveAndThree, 8))).toBe(8);
    expect(allowed(await consume(limits, fiveAndThree, 3))).toBe(0);
  });

  testWith("a call after the given wait is allowed", async (limits) => {
    const results = await consume(limits, twoASecond, 20);
    const result = results.find(({ ok }) => !ok);
    const { retryAfterMs } = result as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThanOrEqual(1);
    expect(retryAfterMs).toBeLessThanOrEqual(1000);
    await eventually("the window ends", async () => (await limits.consume(twoASecond, "me")).ok, retryAfterMs + 500);
  });

  testWith("each key and each limit has its own count", async (limits) => {
    await consume(limits, five, 6, "me");
    expect(await limits.consume(five, "you")).toEqual({ ok: true });
    expect(await limits.consume(fiveAndThree, "me")).toEqual({ ok: true });
    expect((await limits.consume(five, "me")).ok).toBe(false);
  });

  testWith("a key may have any content", async (limits) => {
    for (const key of ["", "a:b", "2001:db8::/64", "ünï\r\nçode", "x".repeat(1000)]) {
      expect(allowed(await consume(limits, five, 6, key))).toBe(5);
    }
  });
}

describe("limits in memory", () => suite(() => open(openMemoryLimits())));

describe("unlimited", () => {
  test("allows everything", async () => {
    expect(allowed(await consume(unlimited, five, 100))).toBe(100);
    expect(unlimited.health()).toEqual({ ok: true });
  });
});

describeWith(["redis"], "limits in Redis", () => {
  suite(() => openOnRedis(redisUrl()));
  afterAll(async () => {
    const client = new Redis(redisUrl());
    await client.del("none", ...(await client.keys(`${testPrefix}*`)));
    await client.quit();
  });

  test(
    "two gateways share their counts, and another mesh on the same Redis counts separately",
    onNewLimits(async () => {
      const shared = `${testPrefix}${++meshes}:`;
      const [a, b] = [await openOnRedis(redisUrl(), shared), await openOnRedis(redisUrl(), shared)];
      const elsewhere = await openOnRedis(redisUrl());
      expect(allowed([...(await consume(a, five, 4)), ...(await consume(b, five, 4))])).toBe(5);
      expect(allowed([...(await consume(a, fiveAndThree, 6)), ...(await consume(b, fiveAndThree, 6))])).toBe(8);
      expect(allowed(await consume(elsewhere, five, 5))).toBe(5);
    }),
  );
});

describeOwnRedis("limits while Redis is away", () => {
  let redis: OwnRedis;
  let limits: Limits;
  beforeEach(async () => {
    redis = await startOwnRedis();
    limits = await openOnRedis(redis.url);
  });
  afterEach(async () => {
    await closeAll();
    await redis.stop();
  });
  const isBack = () => eventually("the breaker closes", () => limits.health().ok, 60_000);

  test("a frozen Redis delays one call briefly and no further ones, and counting goes on in memory", async () => {
    redis.freeze();
    const first = await within(600, "the first call is answered", limits.consume(five, "me"));
    const others: RateLimitResult[] = [];
    const aThousand = async () => {
      for (let i = 0; i < 1000; i++) others.push(await limits.consume(five, "me"));
    };
    await within(200, "a thousand more are answered", aThousand());
    expect(allowed([first, ...others])).toBe(5);
    expect(limits.health()).toEqual({ ok: false, detail: expect.stringContaining("circuit breaker open") });

    redis.thaw();
    await isBack();
    // A pause of the machine can add two more lines.
    expect(lines.slice(0, 2)).toEqual(["Redis is away (limits): counting in memory meanwhile", "Redis is back (limits)"]);
  });

  test("a killed Redis delays no call, and counts again after it has started", async () => {
    let firstLine = 0;
    const attempt = async () => {
      await closeAll();
      firstLine = 0;
      limits = await openOnRedis(redis.url);
      expect(allowed(await consume(limits, five, 3))).toBe(3);
      expect(lines).toEqual([]);
      await redis.kill();
      firstLine = 1; // Skip the warning that Redis is away, which is expected here.
      expect(allowed(await within(500, "a thousand calls are answered", consume(limits, five, 1000)))).toBe(5);
      await redis.start();
      await isBack();
      // Redis kept the window with the first three, so two are left.
      expect(allowed(await consume(limits, five, 10))).toBe(2);
    };
    await whileRedisAnswers(() => lines.slice(firstLine), attempt);
  });

  test("limits can be closed while Redis is frozen", async () => {
    redis.freeze();
    await within(3000, "the limits are closed", limits.close());
  });
});
