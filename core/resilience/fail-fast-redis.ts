/**
 * Redis for what can do without it (cache, limits): a client that answers in a moment or fails, reconnects for ever without a
 * word, and has a breaker around it that says once when Redis is away and once when it is back.
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
  // The breaker gives up earlier, and knows when this process itself stood still; this one, which does not, frees the rest.
  commandTimeout: 1500,
  connectTimeout: 2000,
  disconnectTimeout: 500,
  retryStrategy: (tries) => Math.min(100 * 2 ** tries, maxRetryDelayMs),
} as const satisfies RedisOptions;

const timeoutMs = 250;
const failures = 3;
const breakerOpen = gauge("parley_breaker_open", "Whether the circuit breaker around Redis is not closed, by what Redis is used for", [
  "breaker",
]);

export interface RedisBreakerOptions {
  readonly client: Redis;
  /** As the log names what Redis is used for: "cache". */
  readonly use: string;
  /** What happens meanwhile, for the log: "reading the store". */
  readonly fallback: string;
  readonly log: Logger;
  /** Called when calls go through again, before the first one does. */
  readonly onReconnected?: () => void;
}

export function redisBreaker({ client, use, fallback, log, onReconnected }: RedisBreakerOptions): Breaker {
  breakerOpen.of().set({ breaker: use }, 0);
  const probe = async (): Promise<void> => {
    try {
      await client.ping();
    } catch (error) {
      // A peer that froze or was cut off says nothing on this connection any more: make a new one.
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

/** Ends the connection after what is under way, or at once when Redis doesn't answer. */
export async function closeRedis(client: Redis): Promise<void> {
  await client.quit().catch(() => client.disconnect());
}
