/**
 * Caches in Redis with Moleculer's Redis cacher. A key holds a value (JSON) or a lease: `?` and a random token, stored by the first reader
 * that missed. A fill replaces only the lease it received, and invalidation deletes whatever the key holds, so a value read before a write
 * never gets into the cache after it. A lease blocks no other reader, and an unused one expires.
 */
import type { Redis } from "ioredis";
import { Cachers, type Logger, type ServiceBroker } from "moleculer";
import { redisBreaker, redisHealth } from "../resilience/fail-fast-redis.ts";
import { newId } from "../ids.ts";
import { ttlSeconds, type Cache } from "./cache.ts";
import { pendingInvalidations } from "./pending-invalidations.ts";
import { countReads } from "./read-counts.ts";

/** Lifetime of a lease. The result of a slower fill is not cached. */
const leaseMs = 5000;
/** A value may be as old as its lease, so that both together last `ttlSeconds`. */
const valueMs = ttlSeconds * 1000 - leaseMs;

const lookUpScript = `
  local entry = redis.call("GET", KEYS[1])
  if entry then return entry end
  redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
  return ARGV[1]`;
const keepScript = `
  if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3]) end`;

interface Scripts {
  /** Returns the value or lease of this key; stores and returns `lease` if there was neither. */
  lookUp(key: string, lease: string, leaseMs: number): Promise<string>;
  /** Replaces the lease with the value if the lease is still there. */
  keep(key: string, lease: string, value: string, valueMs: number): Promise<null>;
}
const isLease = (entry: string) => entry.startsWith("?");

export function openRedisCache(cacher: ServiceBroker["cacher"], { log }: { log: Logger }): Cache {
  if (!(cacher instanceof Cachers.Redis)) throw new TypeError("the broker's cacher is not on Redis");
  const client = cacher.client as Redis & Scripts;
  client.defineCommand("lookUp", { numberOfKeys: 1, lua: lookUpScript });
  client.defineCommand("keep", { numberOfKeys: 1, lua: keepScript });

  const name = (key: string) => `${cacher.prefix ?? ""}${key}`;
  const reads = countReads(cacher.broker);
  const breaker = redisBreaker({ client, use: "cache", fallback: "reading the store", log, onReconnected: () => void pending.retry() });
  const remove = (keys: readonly string[]) => breaker.run(() => client.del(keys.map(name)));
  const pending = pendingInvalidations((keys) => (keys === "everything" ? cacher.clean() : remove(keys)));
  client.on("ready", () => void pending.retry());

  /** Returns the value or lease of this key; undefined when the cache must not or can't be read. */
  async function lookUp(key: string): Promise<string | undefined> {
    if (breaker.state() !== "closed") return undefined;
    if (!pending.isEmpty()) {
      void pending.retry();
      return undefined;
    }
    return breaker.run(() => client.lookUp(name(key), `?${newId()}`, leaseMs)).catch(() => undefined);
  }

  /** Not awaited: later commands on this connection run after it. */
  function storeIfLeased(key: string, lease: string, value: unknown): void {
    if (value === undefined) return;
    breaker.run(() => client.keep(name(key), lease, JSON.stringify(value), valueMs)).catch(() => undefined);
  }

  return {
    async read<T>(key: string, fill: () => Promise<T>) {
      const entry = await lookUp(key);
      if (entry !== undefined && !isLease(entry)) {
        reads.hit++;
        return { value: JSON.parse(entry) as T, source: "cache" as const };
      }
      if (entry === undefined) reads.bypass++;
      else reads.miss++;
      const value = await fill();
      if (entry !== undefined) storeIfLeased(key, entry, value);
      return { value, source: "database" as const };
    },
    async invalidate(keys) {
      if (keys.length === 0) return;
      await remove(keys).catch(() => pending.add(keys));
    },
    health: () => redisHealth(client, breaker),
  };
}
