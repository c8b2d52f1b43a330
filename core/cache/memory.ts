/** Caches in this process's memory with Moleculer's LRU cacher. */
import { Cachers, type ServiceBroker } from "moleculer";
import type { Cache } from "./cache.ts";
import { countReads } from "./read-counts.ts";

export function openMemoryCache(cacher: ServiceBroker["cacher"]): Cache {
  if (!(cacher instanceof Cachers.MemoryLRU)) throw new TypeError("the broker's cacher is not in memory");
  /** The lease of each key with fills in flight. `invalidate` deletes leases, so an older fill finds that its lease is gone. */
  const leases = new Map<string, symbol>();
  const reads = countReads(cacher.broker);

  return {
    async read<T>(key: string, fill: () => Promise<T>) {
      const cached: unknown = await cacher.get(key);
      if (cached !== undefined) {
        reads.hit++;
        return { value: cached as T, source: "cache" as const };
      }
      reads.miss++;
      const lease = leases.get(key) ?? Symbol(key);
      leases.set(key, lease);
      try {
        const value = frozen(await fill());
        if (leases.get(key) === lease) await cacher.set(key, value);
        return { value, source: "database" as const };
      } finally {
        if (leases.get(key) === lease) leases.delete(key);
      }
    },
    async invalidate(keys) {
      for (const key of keys) leases.delete(key);
      await cacher.del([...keys]);
    },
    health: () => ({ ok: true }),
  };
}

/** Freezes a value deeply. All readers share it, and copies would cost more than the rest of a read. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}
