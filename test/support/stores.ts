/** The store port's two adapters as its tests open them: an empty store each, gone when it is closed. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { ServiceBroker, type Logger } from "moleculer";
import mongoose from "mongoose";
import type { Store } from "../../core/store/store.ts";
import { mongoUri, type Part } from "./infra.ts";
import { temporaryFolder } from "./server.ts";

export const silent: Logger = new ServiceBroker({ logger: false }).getLogger("TEST");

/** An empty store. */
export interface TestStore {
  readonly store: Store;
  /** Names it to another process: `store-writer.ts`. */
  readonly place: readonly [adapter: "sqlite" | "mongo", where: string, mesh: string];
  remove(): Promise<void>;
}

export interface Adapter {
  readonly title: string;
  readonly needs: readonly Part[];
  open(): Promise<TestStore>;
}

/** Opens the store at this place, which may hold data already. */
export async function openPlace([adapter, where, mesh]: TestStore["place"], log = silent): Promise<Store> {
  if (adapter === "sqlite") {
    const { openSqliteStore } = await import("../../core/store/sqlite/store.ts");
    return openSqliteStore(where, { log });
  }
  const { openMongoStore } = await import("../../core/store/mongo/store.ts");
  return openMongoStore(where, mesh, { log });
}

export const sqlite: Adapter = {
  title: "SQLite",
  needs: [],
  async open() {
    const place = ["sqlite", await temporaryFolder(), ""] as const;
    const store = await openPlace(place);
    return {
      store,
      place,
      async remove() {
        await store.close();
        await rm(place[1], { recursive: true });
      },
    };
  },
};

export const mongo: Adapter = {
  title: "MongoDB",
  needs: ["mongo"],
  async open() {
    const place = ["mongo", mongoUri(), `test-${randomBytes(5).toString("hex")}`] as const;
    const store = await openPlace(place);
    return {
      store,
      place,
      async remove() {
        await store.close();
        await dropDatabases(place[1], place[2]);
      },
    };
  },
};

export const adapters: readonly Adapter[] = [sqlite, mongo];

async function dropDatabases(uri: string, mesh: string): Promise<void> {
  const client = new mongoose.mongo.MongoClient(uri);
  try {
    const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
    for (const { name } of databases) if (name.startsWith(`${mesh}_`)) await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
}
