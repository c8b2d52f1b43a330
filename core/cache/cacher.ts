/** Moleculer's cacher, which the guarded cache is built on: in memory when embedded, in a mesh on Redis. */
import { Redis } from "ioredis";
import { Cachers, type BrokerOptions, type ServiceBroker } from "moleculer";
import type { MeshConfig } from "../config/config.ts";
import { closeRedis, failFastOptions } from "../resilience/fail-fast-redis.ts";
import { ttlSeconds } from "./cache.ts";

const maxEntriesInMemory = 10_000;

/** Moleculer's Redis cacher, less its habits of logging every failed reconnect and of never ending when Redis is away. */
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

/** The broker's option `cacher`. */
export function cacherOptions(mesh: MeshConfig | undefined): NonNullable<BrokerOptions["cacher"]> {
  if (mesh === undefined) return { type: "MemoryLRU", options: { ttl: ttlSeconds, max: maxEntriesInMemory } };
  // The cacher takes options, not a URL with options: a client that never connects reads them from the URL.
  const { options } = new Redis(mesh.redisUrl, { ...failFastOptions, lazyConnect: true });
  return new QuietRedisCacher({ prefix: `${mesh.name}:cache`, ttl: ttlSeconds, redis: { ...options, lazyConnect: false } });
}
