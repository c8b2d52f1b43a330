/**
 * Opens a node's ports before its services start and closes them after they stop. It chooses the ports' adapters: those of embedded mode
 * or of a mesh. Adapters are imported dynamically, so that neither mode loads the other's.
 */
import { join } from "node:path";
import type { Logger, ServiceBroker } from "moleculer";
import type { Blobs } from "../blobs/blobs.ts";
import type { Cache } from "../cache/cache.ts";
import { followClock, type Clock } from "../clock.ts";
import type { Config, MeshConfig } from "../config/config.ts";
import type { Feed } from "../feed/feed.ts";
import { openInstallation, type Installation } from "./installation.ts";
import type { Limits } from "../limits/limits.ts";
import { retryPolicyOf, type ConsumerGroups, type Queue, type RetryPolicy } from "../queue/queue.ts";
import type { Store } from "../store/store.ts";
import { dataFiles } from "../config/data-files.ts";

/** Access tokens are signed with the first secret, and accepted if any of them signed it. */
export type JwtSecrets = readonly [string, ...string[]];

export interface Ports {
  readonly config: Config;
  readonly clock: Clock;
  readonly store: Store;
  readonly installation: Installation;
  readonly feed: Feed;
  readonly queue: Queue;
  readonly cache: Cache;
  readonly limits: Limits;
  readonly blobs: Blobs;
  readonly jwtSecrets: JwtSecrets;
}

const portsByBroker = new WeakMap<ServiceBroker, Ports>();

/** Whether the ports are open: from before the services start until after they stop. */
export const arePortsOpen = (broker: ServiceBroker): boolean => portsByBroker.has(broker);

/** The ports of this broker's node. Available from a service's `started` on. */
export function portsOf(broker: ServiceBroker): Ports {
  const ports = portsByBroker.get(broker);
  if (ports === undefined) throw new Error("the ports are opened when the broker starts");
  return ports;
}

interface PortsContext {
  readonly broker: ServiceBroker;
  readonly config: Config;
  readonly groups: ConsumerGroups;
  readonly retry: RetryPolicy;
  readonly log: Logger;
}

/**
 * Opens all ports. Retries with back-off while a store or broker can't be reached.
 * @throws StartError  an error that a retry can't fix: wrong credentials, a data folder in use, an installation that must not run
 */
export async function openPorts(broker: ServiceBroker, config: Config, groups: ConsumerGroups, log: Logger): Promise<void> {
  const retry = retryPolicyOf(config);
  const context = { broker, config, groups, retry, log };
  portsByBroker.set(broker, config.mesh === undefined ? await openEmbedded(context) : await openMesh(context, config.mesh));
}

async function openEmbedded({ broker, config, groups, retry, log }: PortsContext): Promise<Ports> {
  const { openSqliteStore } = await import("../store/sqlite/store.ts");
  const { openLocalFeed } = await import("../feed/local.ts");
  const { openLocalQueue } = await import("../queue/local.ts");
  const { openMemoryCache } = await import("../cache/memory.ts");
  const { openMemoryLimits, unlimited } = await import("../limits/memory.ts");
  const { openDiskBlobs } = await import("../blobs/disk.ts");
  const { loadOrCreateSecret } = await import("../config/generated-secret.ts");

  const store = await openSqliteStore(config.DATA_DIR, { log });
  const clock = await followClock(() => store.time());
  return {
    config,
    clock,
    store,
    installation: await openInstallation(store, log),
    feed: openLocalFeed(),
    queue: await openLocalQueue({ store, groups, retry, clock, log }),
    cache: openMemoryCache(broker.cacher),
    limits: config.LIMITS === "off" ? unlimited : openMemoryLimits(),
    blobs: (await openCloudinary(config, log)) ?? (await openDiskBlobs(join(config.DATA_DIR, dataFiles.blobs), { log })),
    jwtSecrets: [config.JWT_SECRET ?? loadOrCreateSecret(config.DATA_DIR), ...config.JWT_OLD_SECRETS],
  };
}

async function openMesh({ broker, config, groups, retry, log }: PortsContext, mesh: MeshConfig): Promise<Ports> {
  const { openMongoStore } = await import("../store/mongo/store.ts");
  const { openRedisFeed } = await import("../feed/redis.ts");
  const { openRabbitQueue } = await import("../queue/rabbit.ts");
  const { openRedisCache } = await import("../cache/redis.ts");
  const { openRedisLimits } = await import("../limits/redis.ts");
  const { unlimited } = await import("../limits/memory.ts");
  const { openGridFsBlobs } = await import("../blobs/gridfs.ts");

  const redis = { url: mesh.redisUrl, prefix: `${mesh.name}:`, log };
  const openingStore = openMongoStore(mesh.mongoUri, mesh.name, { log });
  const [store, installation, feed, queue, blobs] = await Promise.all([
    openingStore,
    openingStore.then((store) => openInstallation(store, log)),
    openRedisFeed(redis),
    openRabbitQueue({ url: mesh.amqpUrl, name: mesh.name, groups, retry, log }),
    openCloudinary(config, log).then((blobs) => blobs ?? openGridFsBlobs(mesh.mongoUri, mesh.name, { log })),
  ]);
  return {
    config,
    clock: await followClock(() => store.time()),
    store,
    installation,
    feed,
    queue,
    cache: openRedisCache(broker.cacher, { log }),
    limits: config.LIMITS === "off" ? unlimited : openRedisLimits(redis),
    blobs,
    jwtSecrets: [config.JWT_SECRET!, ...config.JWT_OLD_SECRETS],
  };
}

/** Opens Cloudinary, if it is configured, in place of the mode's own file storage. */
async function openCloudinary({ CLOUDINARY_URL: account, MESH }: Config, log: Logger): Promise<Blobs | undefined> {
  if (account === undefined) return undefined;
  const { openCloudinaryBlobs } = await import("../blobs/cloudinary.ts");
  return openCloudinaryBlobs(account, `parley/${MESH}`, { log });
}

/** Closes all ports, the store last. */
export async function closePorts(broker: ServiceBroker): Promise<void> {
  const ports = portsByBroker.get(broker);
  if (ports === undefined) return;
  portsByBroker.delete(broker);
  ports.clock.stop();
  ports.installation.stop();
  await Promise.allSettled([ports.queue.close(), ports.feed.close(), ports.limits.close(), ports.blobs.close()]);
  await ports.store.close();
}
