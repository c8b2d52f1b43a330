/**
 * Connects to Redis for features that can work without it (cache, limits). The client responds quickly or fails, and reconnects forever
 * without logging. A circuit breaker around it logs once when Redis becomes unavailable and once when it is back.
 */
import type { Redis, RedisOptions } from "ioredis";
import type { Logger } from "moleculer";
import { circuitBreaker, type Breaker } from "./circuit-breaker.ts";
import { gauge } from "../metrics/declare.ts";
import { circuitBreakerDefaults } from "../contract/call-policy.ts";
import type { Health } from "../health.ts";

const maxRetryDelayMs = 2000;

export const failFastOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  // The breaker times out earlier, and allows for pauses of this process. This timeout does not; it only frees what remains of a command.
  commandTimeout: 1500,
  connectTimeout: 2000,
  disconnectTimeout: 500,
  retryStrategy: (tries) => Math.min(100 * 2 ** tries, maxRetryDelayMs),
} as const satisfies RedisOptions;

const timeoutMs = 250;
const failures = 3;
const breakerOpen = gauge(
  "parley_breaker_open",
  "1 if the circuit breaker around Redis is open or half-open, otherwise 0; by what Redis is used for",
  ["breaker"],
);

export interface RedisBreakerOptions {
  readonly client: Redis;
  /** The use of Redis, for the log: "cache". */
  readonly use: string;
  /** What replaces Redis meanwhile, for the log: "reading the store". */
  readonly fallback: string;
  readonly log: Logger;
  /** Called when calls are possible again, before the first one. */
  readonly onReconnected?: () => void;
}

export function redisBreaker({ client, use, fallback, log, onReconnected }: RedisBreakerOptions): Breaker {
  breakerOpen.of().set({ breaker: use }, 0);
  const probe = async (): Promise<void> => {
    try {
      await client.ping();
    } catch (error) {
      // If Redis froze or the network was cut, this connection may never respond again: open a new one.
      if (client.status === "ready") client.disconnect(true);
      throw error;
    }
  };
  return circuitBreaker({
    timeoutMs,
    failures,
    halfOpenMs: circuitBreakerDefaults.halfOpenMs,
    probe,
    onChange(now, before) {
      breakerOpen.of().set({ breaker: use }, now === "closed" ? 0 : 1);
      if (before === "closed") log.warn(`Redis is away (${use}): ${fallback} meanwhile`);
      if (now !== "closed") return;
      log.info(`Redis is back (${use})`);
      onReconnected?.();
    },
  });
}

export function redisHealth(client: Redis, breaker: Breaker): Health {
  if (client.status === "ready" && breaker.state() === "closed") return { ok: true };
  return { ok: false, detail: `Redis is away: connection ${client.status}, circuit breaker ${breaker.state()}` };
}

/** Closes the connection after the commands in progress, or immediately if Redis doesn't respond. */
export async function closeRedis(client: Redis): Promise<void> {
  await client.quit().catch(() => client.disconnect());
}
