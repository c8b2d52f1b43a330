/** Opens a mesh's queue and databases in a test, to add what no client could add and to read what is stored. */
import { ServiceBroker, type Logger } from "moleculer";
import { readConfig } from "../../../core/config/config.ts";
import type { Queue } from "../../../core/queue/queue.ts";
import { openRabbitQueue } from "../../../core/queue/rabbit.ts";
import { openMongoStore } from "../../../core/store/mongo/store.ts";
import type { Collection, Doc, Where } from "../../../core/store/store.ts";
import { followers } from "../../../services/followers.ts";
import type { TestMesh } from "./mesh.ts";

const log: Logger = new ServiceBroker({ logger: false }).getLogger("TEST");

export function meshQueue({ env }: Pick<TestMesh, "env">): Promise<Queue> {
  const config = readConfig(env);
  const retry = { firstDelayMs: config.EVENT_RETRY_MS, attempts: config.EVENT_ATTEMPTS };
  return openRabbitQueue({ url: config.mesh!.amqpUrl, name: config.mesh!.name, groups: followers, retry, log });
}

/** Returns the rows of a service's collection that have this unique key. */
export async function meshRows<T extends Doc>({ env }: TestMesh, service: string, from: Collection<T>, key: Where<T>): Promise<T[]> {
  const { mesh } = readConfig(env);
  const store = await openMongoStore(mesh!.mongoUri, mesh!.name, { log });
  try {
    return await (await store.open(service, [from])).find(from, [key]);
  } finally {
    await store.close();
  }
}
