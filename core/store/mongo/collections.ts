/**
 * Creates a service's collections, each with moleculer-db's mongoose adapter, and their declared indexes. The adapter has the model and the
 * connection, but queries go to the driver's collection: mongoose would cast conditions, and the adapter's methods support neither
 * transactions nor expectations.
 */
import MongooseDbAdapter from "moleculer-db-adapter-mongoose";
import mongoose, { type Connection, type Document, type mongo } from "mongoose";
import type { StartError } from "../../errors.ts";
import { brokenIndex, changedIndex, renamedIndex } from "../index-errors.ts";
import type { Collection, Index } from "../store.ts";

export interface MongoRow {
  readonly _id: string;
  readonly [field: string]: unknown;
}
export type MongoRows = mongo.Collection<MongoRow>;
export type MongoCollections = ReadonlyMap<string, MongoRows>;

/** The adapter sets `strictQuery: true` for the whole process, and then a condition on an unknown field matches every row. */
mongoose.set("strictQuery", "throw");

/** The adapter connects and disconnects mongoose's one global connection. This class keeps the connection of its service instead. */
class ServiceAdapter extends MongooseDbAdapter<Document> {
  constructor(connection: Connection, name: string) {
    super("");
    const schema = new mongoose.Schema({ _id: String }, { collection: name, strict: false, strictQuery: "throw", versionKey: false });
    this.model = connection.model<Document>(name, schema);
    this.db = connection.db as typeof this.db;
  }
  override connect(): Promise<void> {
    return Promise.resolve();
  }
  override disconnect(): Promise<void> {
    return Promise.resolve();
  }
}

/** Types that a unique index includes. Rows in which one of its fields is absent or null are left out. */
export const indexedTypes = ["string", "number", "bool"];

/**
 * Creates missing collections and indexes. Unknown ones stay: they may belong to another release whose nodes run at the same time.
 * @throws StartError  an index of the same name differs, or existing rows violate a new unique index
 */
export async function createCollections(connection: Connection, collections: readonly Collection[]): Promise<MongoCollections> {
  const made = await Promise.all(
    collections.map(async (collection) => {
      const adapter = new ServiceAdapter(connection, collection.name);
      return [collection.name, await createCollection(adapter.db, adapter.model.collection.collectionName, collection)] as const;
    }),
  );
  return new Map([...made, [clockCollection, await createClock(connection.db!)]]);
}

/** A collection with one row. A transaction reads it to get the server's time. */
export const clockCollection = "_clock";

async function createClock(db: mongo.Db): Promise<MongoRows> {
  const rows = db.collection<MongoRow>(clockCollection);
  await ignoringCodes([duplicateKey], () => rows.insertOne({ _id: clockCollection }));
  return rows;
}

const duplicateKey = 11000;
const namespaceExists = 48;
const indexDiffers = [85, 86];

async function createCollection(db: mongo.Db, name: string, collection: Collection): Promise<MongoRows> {
  await ignoringCodes([namespaceExists], () => db.createCollection(name));
  const rows = db.collection<MongoRow>(name);
  for (const [index, declared] of Object.entries(collection.indexes)) {
    const { fields, unique = false } = declared;
    const key = Object.fromEntries(fields.map((field) => [field, 1 as const]));
    const partialFilter = Object.fromEntries(fields.map((field) => [field, { $type: indexedTypes }]));
    const options = { name: index, ...(unique ? { unique, partialFilterExpression: partialFilter } : {}) };
    const created = await ignoringCodes([duplicateKey, ...indexDiffers], () => rows.createIndex(key, options));
    if (created === undefined) throw await indexErrorOf(rows, collection, index, declared);
  }
  return rows;
}

async function indexErrorOf(
  rows: MongoRows,
  collection: Collection,
  index: string,
  { fields, unique = false }: Index<never>,
): Promise<StartError> {
  const existing = await rows.indexes();
  if (existing.some(({ name }) => name === index)) return changedIndex(collection, index);
  const same = existing.find((each) => Object.keys(each.key as object).join() === fields.join() && (each["unique"] === true) === unique);
  return same === undefined ? brokenIndex(collection, index) : renamedIndex(collection, index, String(same.name));
}

/** @returns undefined when MongoDB fails with one of these codes */
async function ignoringCodes<T>(codes: readonly number[], attempt: () => Promise<T>): Promise<T | undefined> {
  try {
    return await attempt();
  } catch (error) {
    if (codes.includes((error as { code?: number }).code ?? 0)) return undefined;
    throw error;
  }
}
