/** The limits port's suite, on both adapters; then what only Redis can do: be shared, frozen, killed, and come back. */
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
/** On limits without a past, each time it is tried. */
const onNewLimits = (attempt: () => Promise<void>) => () =>
  whileRedisAnswers(
    () => lines,
    async () => {
      await closeAll();
      await attempt();
    },
  );

// Far longer than a test takes, so that no window ends in its middle.
const five: RateLimit = { name: "five", points: 5, windowMs: 60_000 };
const fiveAndThree: RateLimit = { name: "burst", points: 5, windowMs: 60_000, burst: 3 };
const twoASecond: RateLimit = { name: "second", points: 2, windowMs: 1000 };

const take = (limits: Limits, allowance: RateLimit, times: number, key = "me"): Promise<RateLimitResult[]> =>
  Promise.all(Array.from({ length: times }, () => limits.consume(allowance, key)));
const allowed = (verdicts: readonly RateLimitResult[]) => verdicts.filter(({ ok }) => ok).length;

function suite(start: () => Promise<Limits>): void {
  const testWith = (title: string, attempt: (limits: Limits) => Promise<void>) =>
    test(
      title,
      onNewLimits(async () => attempt(await start())),
    );

  testWith("as many as the allowance says, then no more", async (limits) => {
    expect(allowed(await take(limits, five, 5))).toBe(5);
    expect(allowed(await take(limits, five, 5))).toBe(0);
  });

  testWith("who is refused is told when the window ends", async (limits) => {
    await take(limits, five, 5);
    const verdict = await limits.consume(five, "me");
    expect(verdict).toEqual({ ok: false, retryAfterMs: expect.any(Number) });
    const { retryAfterMs } = verdict as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  testWith("a burst is allowed besides, once", async (limits) => {
    expect(allowed(await take(limits, fiveAndThree, 8))).toBe(8);
    expect(allowed(await take(limits, fiveAndThree, 3))).toBe(0);
  });

  testWith("who comes back when told to is let in", async (limits) => {
    const verdicts = await take(limits, twoASecond, 20);
    const verdict = verdicts.find(({ ok }) => !ok);
    const { retryAfterMs } = verdict as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThanOrEqual(1);
    expect(retryAfterMs).toBeLessThanOrEqual(1000);
    await eventually("the window ends", async () => (await limits.consume(twoASecond, "me")).ok, retryAfterMs + 500);
  });

  testWith("each key and each allowance has its own count", async (limits) => {
    await take(limits, five, 6, "me");
    expect(await limits.consume(five, "you")).toEqual({ ok: true });
    expect(await limits.consume(fiveAndThree, "me")).toEqual({ ok: true });
    expect((await limits.consume(five, "me")).ok).toBe(false);
  });

  testWith("a key may hold anything", async (limits) => {
    for (const key of ["", "a:b", "2001:db8::/64", "ünï\r\nçode", "x".repeat(1000)]) {
      expect(allowed(await take(limits, five, 6, key))).toBe(5);
    }
  });
}

describe("limits in memory", () => suite(() => open(openMemoryLimits())));

describe("unlimited", () => {
  test("allows everything", async () => {
    expect(allowed(await take(unlimited, five, 100))).toBe(100);
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
    "two gateways count together, and another mesh on the same Redis by itself",
    onNewLimits(async () => {
      const shared = `${testPrefix}${++meshes}:`;
      const [a, b] = [await openOnRedis(redisUrl(), shared), await openOnRedis(redisUrl(), shared)];
      const elsewhere = await openOnRedis(redisUrl());
      expect(allowed([...(await take(a, five, 4)), ...(await take(b, five, 4))])).toBe(5);
      expect(allowed([...(await take(a, fiveAndThree, 6)), ...(await take(b, fiveAndThree, 6))])).toBe(8);
      expect(allowed(await take(elsewhere, five, 5))).toBe(5);
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

  test("a frozen Redis costs one call a moment and then nothing; counting goes on in memory", async () => {
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
    // A machine that stands still for a moment would bring another two.
    expect(lines.slice(0, 2)).toEqual(["Redis is away (limits): counting in memory meanwhile", "Redis is back (limits)"]);
  });

  test("a Redis that died costs nothing, and counts again when it was started", async () => {
    let own = 0;
    const attempt = async () => {
      await closeAll();
      own = 0;
      limits = await openOnRedis(redis.url);
      expect(allowed(await take(limits, five, 3))).toBe(3);
      expect(lines).toEqual([]);
      await redis.kill();
      own = 1; // That it is away now is what it should say.
      expect(allowed(await within(500, "a thousand calls are answered", take(limits, five, 1000)))).toBe(5);
      await redis.start();
      await isBack();
      // The two that were left of the first three's window, which Redis kept.
      expect(allowed(await take(limits, five, 10))).toBe(2);
    };
    await whileRedisAnswers(() => lines.slice(own), attempt);
  });

  test("limits end while Redis is frozen", async () => {
    redis.freeze();
    await within(3000, "limits ended", limits.close());
  });
});
