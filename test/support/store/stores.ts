/** Opens an empty store on each of the port's adapters, and removes it after the test. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { ServiceBroker, type Logger } from "moleculer";
import mongoose from "mongoose";
import type { StoreContents } from "../../../core/store/contents.ts";
import type { Store } from "../../../core/store/store.ts";
import { mongoUri, type InfraPart } from "../infrastructure/infra.ts";
import { temporaryFolder } from "../servers/server.ts";

export const silentLogger: Logger = new ServiceBroker({ logger: false }).getLogger("TEST");

export type StoreAdapterName = "sqlite" | "mongo";

/** An empty store. */
export interface TestStore {
  readonly store: Store;
  /** Where another process finds the store: arguments of `writer-process.ts`. */
  readonly location: readonly [adapter: StoreAdapterName, where: string, mesh: string];
  remove(): Promise<void>;
}

export interface StoreAdapter {
  readonly name: StoreAdapterName;
  readonly title: string;
  readonly needs: readonly InfraPart[];
  /** Whether several processes can open a store at the same time. */
  readonly isShared: boolean;
  open(): Promise<TestStore>;
}

/** How each adapter opens a store, and its whole contents, at a location. An adapter without a row does not compile. */
const openers: Record<StoreAdapterName, Opener> = {
  sqlite: {
    store: async (folder, _mesh, log) => (await import("../../../core/store/sqlite/store.ts")).openSqliteStore(folder, { log }),
    contents: async (folder) => (await import("../../../core/store/sqlite/contents.ts")).openSqliteContents(folder),
  },
  mongo: {
    store: async (uri, mesh, log) => (await import("../../../core/store/mongo/store.ts")).openMongoStore(uri, mesh, { log }),
    contents: async (uri, mesh) => (await import("../../../core/store/mongo/contents.ts")).openMongoContents(uri, mesh, silentLogger),
  },
};
interface Opener {
  store(where: string, mesh: string, log: Logger): Promise<Store>;
  contents(where: string, mesh: string): Promise<StoreContents>;
}

/** Opens the store at this location, which may have data already. */
export const openStoreAt = ([adapter, where, mesh]: TestStore["location"], log = silentLogger): Promise<Store> =>
  openers[adapter].store(where, mesh, log);

export const openContentsAt = ([adapter, where, mesh]: TestStore["location"]): Promise<StoreContents> =>
  openers[adapter].contents(where, mesh);

export const sqlite: StoreAdapter = {
  name: "sqlite",
  title: "SQLite",
  needs: [],
  isShared: false,
  async open() {
    const place = ["sqlite", await temporaryFolder(), ""] as const;
    const store = await openStoreAt(place);
    return {
      store,
      location: place,
      async remove() {
        await store.close();
        await rm(place[1], { recursive: true });
      },
    };
  },
};

export const mongo: StoreAdapter = {
  name: "mongo",
  title: "MongoDB",
  needs: ["mongo"],
  isShared: true,
  async open() {
    const place = ["mongo", mongoUri(), `test-${randomBytes(5).toString("hex")}`] as const;
    const store = await openStoreAt(place);
    return {
      store,
      location: place,
      async remove() {
        await store.close();
        await dropDatabases(place[1], place[2]);
      },
    };
  },
};

export const storeAdapters: readonly StoreAdapter[] = [sqlite, mongo];

async function dropDatabases(uri: string, mesh: string): Promise<void> {
  const client = new mongoose.mongo.MongoClient(uri);
  try {
    const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
    for (const { name } of databases) if (name.startsWith(`${mesh}_`)) await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
}
