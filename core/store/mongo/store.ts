/**
 * Stores a mesh's data in MongoDB, one database for each service, `<mesh>_<service>`. All services of a node share one client; each has its
 * own mongoose connection on it.
 */
import type { Logger } from "moleculer";
import { connect, assertReplicaSet } from "./connection.ts";
import { createCollections } from "./collections.ts";
import { openDatabase } from "./database.ts";
import type { Store } from "../store.ts";
import { withStoreErrors } from "./failures.ts";

/**
 * Connects to MongoDB and retries with back-off until it can be reached.
 * @param uri  of a replica set
 * @param mesh  prefix of the database names
 * @throws StartError  wrong credentials, or not a replica set
 */
export async function openMongoStore(uri: string, mesh: string, { log }: { log: Logger }): Promise<Store> {
  const connection = await connect(uri, log);
  try {
    await assertReplicaSet(connection, log);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const hello = () => withStoreErrors(() => connection.db!.admin().command({ hello: 1 }));
  return {
    async open(service, collections) {
      const made = await withStoreErrors(() => createCollections(connection.useDb(`${mesh}_${service}`), collections));
      return openDatabase(connection.getClient(), made);
    },
    time: async () => ((await hello())["localTime"] as Date).getTime(),
    async health() {
      try {
        return (await hello())["isWritablePrimary"] === true ? { ok: true } : { ok: false, detail: "MongoDB has no primary" };
      } catch {
        return { ok: false, detail: "MongoDB can't be reached" };
      }
    },
    close: () => connection.close(),
  };
}
