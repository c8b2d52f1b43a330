/**
 * A service's collections, each under moleculer-db's mongoose adapter, with their indexes as declared. The adapter holds model and
 * connection; what is asked goes to the driver's collection beneath: mongoose would cast conditions, and the adapter's own verbs
 * know neither transactions nor expectations.
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

/** The adapter sets `strictQuery: true` for the whole process, with which a condition on an unknown field means every row. */
mongoose.set("strictQuery", "throw");

/** The adapter's own connect and disconnect act on mongoose's one global connection; this one belongs to its service. */
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

/** Values that a unique index holds: rows that lack one of its fields, or have null there, are outside. */
export const indexedTypes = ["string", "number", "bool"];

/**
 * Makes what is missing, and leaves alone what it does not know: an index may be another release's, whose nodes run beside this one.
 * @throws StartError  an index of the same name is another one; rows that are equal in a new unique index
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

/** A collection with one row, whose only use is that a transaction which reads it learns the server's time. */
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

/** @returns undefined when MongoDB answers with one of these codes */
async function ignoringCodes<T>(codes: readonly number[], attempt: () => Promise<T>): Promise<T | undefined> {
  try {
    return await attempt();
  } catch (error) {
    if (codes.includes((error as { code?: number }).code ?? 0)) return undefined;
    throw error;
  }
}
