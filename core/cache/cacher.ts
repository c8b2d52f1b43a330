/** Configures Moleculer's cacher, which the cache is built on: in memory when embedded, on Redis in a mesh. */
import { Redis } from "ioredis";
import { Cachers, type BrokerOptions, type ServiceBroker } from "moleculer";
import type { MeshConfig } from "../config/config.ts";
import { closeRedis, failFastOptions } from "../resilience/fail-fast-redis.ts";
import { ttlSeconds } from "./cache.ts";

const maxEntriesInMemory = 10_000;

/** Moleculer's Redis cacher logs every failed reconnect and never closes while Redis is away. This one does neither. */
class QuietRedisCacher extends Cachers.Redis<Redis> {
  override init(broker: ServiceBroker): void {
    super.init(broker);
    this.client.removeAllListeners("error");
    this.client.on("error", () => (this.connected = false));
  }
  override close(): Promise<void> {
    return closeRedis(this.client);
  }
}

/** Returns the broker's option `cacher`. */
export function cacherOptions(mesh: MeshConfig | undefined): NonNullable<BrokerOptions["cacher"]> {
  if (mesh === undefined) return { type: "MemoryLRU", options: { ttl: ttlSeconds, max: maxEntriesInMemory } };
  // The cacher takes either a URL or options, not both. A client that never connects parses the URL into options.
  const { options } = new Redis(mesh.redisUrl, { ...failFastOptions, lazyConnect: true });
  return new QuietRedisCacher({ prefix: `${mesh.name}:cache`, ttl: ttlSeconds, redis: { ...options, lazyConnect: false } });
}
