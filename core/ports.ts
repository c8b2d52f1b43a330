/**
 * The ports of one node, opened before its services start and closed after they stopped. Here, and only here, is decided which
 * adapters are in use: embedded or mesh.
 */
import type { ServiceBroker } from "moleculer";
import type { Cache } from "./cache/cache.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Feed } from "./feed/feed.ts";
import type { Limits } from "./limits/limits.ts";
import type { Queue } from "./queue/queue.ts";
import type { Store } from "./store/store.ts";

export interface Ports {
  readonly config: Config;
  readonly clock: Clock;
  readonly store: Store;
  readonly feed: Feed;
  readonly queue: Queue;
  readonly cache: Cache;
  readonly limits: Limits;
  /** Signs access tokens with the first, accepts any. */
  readonly jwtSecrets: readonly [string, ...string[]];
}

const opened = new WeakMap<ServiceBroker, Ports>();

/** The ports of this broker's node. Call it from `started` on. */
export function portsOf(broker: ServiceBroker): Ports {
  const ports = opened.get(broker);
  if (ports === undefined) throw new Error("the ports are opened when the broker starts");
  return ports;
}
