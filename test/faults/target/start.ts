/** Starts the targets of faults: a mesh with its own RabbitMQ, Redis and mongod, or an embedded server. */
import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { ServiceBroker, type Logger } from "moleculer";
import { followClock } from "../../../core/clock.ts";
import { readConfig } from "../../../core/config/config.ts";
import { openLocalQueue } from "../../../core/queue/local.ts";
import { openMongoStore } from "../../../core/store/mongo/store.ts";
import { openSqliteStore } from "../../../core/store/sqlite/store.ts";
import { followers } from "../../../services/followers.ts";
import { startMesh, type MeshNodeName } from "../../support/mesh/mesh.ts";
import { meshQueue } from "../../support/mesh/ports.ts";
import { hasMongod, startMongod, type Mongod } from "../../support/infrastructure/mongod.ts";
import { openNetwork, type CuttableLocation } from "../../support/fault-injection/network.ts";
import { hasRabbit, startOwnRabbit, type OwnRabbit } from "../../support/infrastructure/own-rabbit.ts";
import { startOwnRedis, type OwnRedis } from "../../support/infrastructure/own-redis.ts";
import { freePort, startEmbedded, temporaryFolder, type ServerEnv } from "../../support/servers/server.ts";
import type { EmbeddedTarget, TargetInternals, MeshTarget } from "./fault.ts";

const log: Logger = new ServiceBroker({ logger: false }).getLogger("FAULTS");

/** @returns the programs for a mesh target that this machine lacks; undefined if it has all */
export function lacking(): string | undefined {
  const parts = { mongod: hasMongod, "rabbitmq-server": hasRabbit, "redis-server": spawnSync("redis-server", ["--version"]).status === 0 };
  const missing = Object.entries(parts).flatMap(([name, isThere]) => (isThere ? [] : [name]));
  return missing.length === 0 ? undefined : missing.join(", ");
}

/** @param cuttable  nodes whose network can be cut */
export async function startMeshTarget(cuttable: readonly MeshNodeName[] = []): Promise<MeshTarget> {
  const network = cuttable.length === 0 ? undefined : openNetwork();
  const [rabbit, redis, mongod] = await infrastructure(network?.address).catch(async (error: unknown) => {
    await network?.close();
    throw error;
  });
  const stopAll = async () => {
    await Promise.all([rabbit, redis, mongod].map((part) => part.stop()));
    await network?.close();
  };
  const env = { AMQP_URL: rabbit.url, REDIS_URL: redis.url, MONGO_URI: mongod.uri };
  const locations: Record<string, CuttableLocation> = {};
  const start = async () => {
    for (const role of cuttable) locations[role] = await network!.addLocation(env);
    return startMesh({ env, locations });
  };
  const mesh = await start().catch(async (error: unknown) => {
    await stopAll();
    throw error;
  });
  return {
    kind: "mesh",
    gateways: mesh.gateways,
    mesh,
    locations,
    rabbit,
    redis,
    mongod,
    inspect: (read) => inspectMesh(mesh.env, read),
    async stop() {
      await Promise.all([...mesh.nodes.values()].map((node) => node.stop()));
      await stopAll();
    },
  };
}

/** Starts all three. If one fails, stops the others. */
async function infrastructure(address: string | undefined): Promise<[OwnRabbit, OwnRedis, Mongod]> {
  const starting = [startOwnRabbit(address), startOwnRedis(address), startMongod(address === undefined ? {} : { address })] as const;
  try {
    return await Promise.all(starting);
  } catch (error) {
    for (const part of await Promise.allSettled(starting)) if (part.status === "fulfilled") await part.value.stop();
    throw error;
  }
}

/** @param env  a node's environment, with the URLs of the mesh's store and queue */
export async function inspectMesh<T>(env: ServerEnv, read: (inside: TargetInternals) => Promise<T>): Promise<T> {
  const { mongoUri, name } = readConfig(env).mesh!;
  const [store, queue] = await Promise.all([openMongoStore(mongoUri, name, { log }), meshQueue({ env })]);
  try {
    return await read({ store, queue });
  } finally {
    await Promise.all([store.close(), queue.close()]);
  }
}

/** @param folder  its data folder; by default a temporary one */
export async function startEmbeddedTarget(folder?: string): Promise<EmbeddedTarget> {
  const [dataDir, port] = [folder ?? (await temporaryFolder()), await freePort()];
  let server = await startEmbedded({ dataDir, port });
  const { url } = server;
  const target: EmbeddedTarget = {
    kind: "embedded",
    gateways: [url, url],
    get server() {
      return server;
    },
    async restart() {
      server = await startEmbedded({ dataDir, port });
    },
    async inspect(read) {
      await server.stop();
      try {
        return await inspectFolder(dataDir, read);
      } finally {
        await target.restart();
      }
    },
    async stop() {
      await server.stop();
      if (folder === undefined) await rm(dataDir, { recursive: true });
    },
  };
  return target;
}

async function inspectFolder<T>(dataDir: string, read: (inside: TargetInternals) => Promise<T>): Promise<T> {
  const store = await openSqliteStore(dataDir, { log });
  const clock = await followClock(() => store.time());
  try {
    const retry = { firstDelayMs: 1000, attempts: 10 };
    const queue = await openLocalQueue({ store, groups: followers, retry, clock, log });
    return await read({ store, queue });
  } finally {
    clock.stop();
    await store.close();
  }
}
