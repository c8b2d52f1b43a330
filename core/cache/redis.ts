/**
 * The guarded cache on Redis, by Moleculer's Redis cacher. A key holds a value (JSON), or a lease: `?` and a random token, left
 * there by the first that missed. A fill replaces the lease it was given and nothing else, and forgetting deletes whichever is
 * there; so what was read before a write never gets in after it. A lease blocks nobody: one that is not used expires.
 */
import type { Redis } from "ioredis";
import { Cachers, type Logger, type ServiceBroker } from "moleculer";
import { redisBreaker, redisHealth } from "../resilience/fail-fast-redis.ts";
import { newId } from "../ids.ts";
import { ttlSeconds, type Cache } from "./cache.ts";
import { pendingInvalidations } from "./pending-invalidations.ts";
import { countReads } from "./read-counts.ts";

/** A fill that takes longer is not kept. */
const leaseMs = 5000;
/** What a fill has read is at most as old as its lease: together they live `ttlSeconds`. */
const valueMs = ttlSeconds * 1000 - leaseMs;

const lookUpScript = `
  local entry = redis.call("GET", KEYS[1])
  if entry then return entry end
  redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
  return ARGV[1]`;
const keepScript = `
  if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3]) end`;

interface Scripts {
  /** The value or the lease under this key; `lease` when there was neither. */
  lookUp(key: string, lease: string, leaseMs: number): Promise<string>;
  /** Puts the value in the lease's place, if that is still there. */
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

  /** What is held under this key; undefined when the cache must or can't be asked. */
  async function lookUp(key: string): Promise<string | undefined> {
    if (breaker.state() !== "closed") return undefined;
    if (!pending.isEmpty()) {
      void pending.retry();
      return undefined;
    }
    return breaker.run(() => client.lookUp(name(key), `?${newId()}`, leaseMs)).catch(() => undefined);
  }

  /** Nobody waits for it: what comes after on this connection finds it done. */
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
