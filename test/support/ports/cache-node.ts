/** Starts nodes that have a cache, and fills for their reads. */
import { randomBytes } from "node:crypto";
import { ServiceBroker } from "moleculer";
import type { Cache } from "../../../core/cache/cache.ts";
import { cacherOptions } from "../../../core/cache/cacher.ts";
import { openMemoryCache } from "../../../core/cache/memory.ts";
import { openRedisCache } from "../../../core/cache/redis.ts";
import { eventually } from "../eventually.ts";

export interface CacheNode {
  readonly cache: Cache;
  readonly broker: ServiceBroker;
  /** The lines that it logged. */
  readonly log: readonly string[];
}

/** Name of the mesh of this test file's nodes. */
export const name = `test-${randomBytes(5).toString("hex")}`;
const nodes: CacheNode[] = [];

/** @param url  of Redis; without it the node is embedded */
export async function startCacheNode(url?: string): Promise<CacheNode> {
  const mesh = url === undefined ? undefined : { name, redisUrl: url, amqpUrl: "", mongoUri: "" };
  const broker = new ServiceBroker({ logger: false, cacher: cacherOptions(mesh), skipProcessEventRegistration: true });
  await broker.start();
  const log: string[] = [];
  const logger = { ...broker.logger, info: (line: string) => log.push(line), warn: (line: string) => log.push(line) };
  const cache = mesh ? openRedisCache(broker.cacher, { log: logger }) : openMemoryCache(broker.cacher);
  const node = { cache, broker, log };
  nodes.push(node);
  await eventually("the cache is connected", () => cache.health().ok);
  return node;
}

/** Returns the lines that all running nodes logged. */
export const loggedWarnings = (): string[] => nodes.flatMap(({ log }) => log);

/** Stops all nodes and removes what they cached. */
export async function stopCacheNodes(): Promise<void> {
  await Promise.all(
    nodes.splice(0).map(async ({ broker }) => {
      await broker.cacher?.clean().catch(() => undefined);
      await broker.stop();
    }),
  );
}

/** A fill that returns this value. */
export const filledWith = (value: unknown) => () => Promise.resolve(value);
/** A fill that fails. */
export const neverFilled = (): Promise<never> => Promise.reject(new Error("the store was asked"));
