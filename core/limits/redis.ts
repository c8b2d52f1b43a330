/** Counts limits in Redis, so that a user has one limit across all gateways, and in this node's memory while Redis is away. */
import { Redis } from "ioredis";
import type { Logger } from "moleculer";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { closeRedis, failFastOptions, redisBreaker, redisHealth } from "../resilience/fail-fast-redis.ts";
import { counters } from "./counters.ts";
import type { Limits } from "./limits.ts";
import { openMemoryLimits } from "./memory.ts";

export function openRedisLimits({ url, prefix, log }: { url: string; prefix: string; log: Logger }): Limits {
  const client = new Redis(url, failFastOptions);
  client.on("error", () => undefined); // The breaker logs once that Redis is away.
  const breaker = redisBreaker({ client, use: "limits", fallback: "counting in memory", log });
  const shared = counters(`${prefix}limits:`, (options) => new RateLimiterRedis({ ...options, storeClient: client }));
  const own = openMemoryLimits();

  return {
    consume: (limit, key) => breaker.run(() => shared(limit, key)).catch(() => own.consume(limit, key)),
    health: () => redisHealth(client, breaker),
    async close() {
      breaker.stop();
      await closeRedis(client);
    },
  };
}
