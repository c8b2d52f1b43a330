/** Translates a commit's operations to MongoDB commands. */
import type { mongo } from "mongoose";
import { Conflict } from "../../errors.ts";
import { newId } from "../../ids.ts";
import { writtenFields } from "../query-checks.ts";
import { storeTime, type Operation } from "../store.ts";
import { clockCollection, type MongoCollections, type MongoRow, type MongoRows } from "./collections.ts";
import { lockField, filterOf, uniqueFilter } from "./conditions.ts";
import { duplicateOf } from "./failures.ts";

type Insert = Extract<Operation, { op: "insert" }>;
type Touch = Extract<Operation, { op: "update" | "expect" }>;
type Upsert = Extract<Operation, { op: "upsert" }>;

/** Another writer added the row that an upsert was about to add. The commit is repeated and then finds the row. */
export class UpsertRace extends Error {}

export interface WriteContext {
  readonly collections: MongoCollections;
  readonly session?: mongo.ClientSession;
}

/** Only an insert or an update is a single atomic command. The other operations could write some rows without the rest. */
export const isAtomic = (operations: readonly Operation[]): operations is readonly [Insert | Touch] =>
  operations.length === 1 && (operations[0]!.op === "insert" || operations[0]!.op === "update");

export function rowsOf(collections: MongoCollections, { in: c }: { readonly in: Operation["in"] }): MongoRows {
  const rows = collections.get(c.name);
  if (rows === undefined) throw new Error(`${c.name} is not a collection of this service`);
  return rows;
}

const serverTime = { $toLong: "$$NOW" };
const maxTimeMs = 6000;

/**
 * Runs an insert or update that takes its time from the server, and returns that time. A time taken earlier could be stale: a process that
 * was paused would then write a time that readers have already read past.
 */
export async function writeWithServerTime(operation: Insert | Touch, { collections, session }: WriteContext): Promise<number> {
  const rows = rowsOf(collections, operation);
  const options = { ...sessionOrLimit(session), returnDocument: "after", projection: { _id: 0, at: serverTime } } as const;
  const answered =
    operation.op === "insert"
      ? await rows.findOneAndUpdate(absent(operation.doc._id), [{ $replaceWith: literal(operation.doc) }], { ...options, upsert: true })
      : await rows.findOneAndUpdate(
          uniqueFilter(operation.in, operation.where),
          [{ $set: { ...fieldsOf(set(operation)), [lockField]: lockIncrement } }],
          options,
        );
  if (answered === null) throw new Conflict();
  return answered["at"] as number;
}

/** Returns the server's time, inside or outside a transaction. */
export async function readServerTime({ collections, session }: Required<WriteContext>): Promise<number> {
  const options = { ...(session.inTransaction() ? {} : { maxTimeMS: maxTimeMs }), projection: { _id: 0, at: serverTime } };
  const answered = await collections.get(clockCollection)!.findOne({ _id: clockCollection }, { session, ...options });
  return answered!["at"] as number;
}

const lockIncrement = { $add: [{ $ifNull: [`$${lockField}`, 0] }, 1] };
/** Matches no row, so that the upsert either adds the row or fails on a duplicate id. */
const absent = (_id: string) => ({ _id: { $eq: _id }, [lockField]: { $type: "minKey" } }) as mongo.Filter<MongoRow>;
const sessionOrLimit = (session: mongo.ClientSession | undefined) => (session === undefined ? { maxTimeMS: maxTimeMs } : { session });
const set = (operation: Touch): object => (operation.op === "update" ? operation.set : {});
const fieldsOf = (values: object): mongo.Document =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]) => [field, value === storeTime ? serverTime : { $literal: value as unknown }]),
  );
/** Wraps a document so that MongoDB never evaluates its values as expressions. */
function literal(doc: object): mongo.Document {
  const times = Object.entries(doc).filter(([, value]) => value === storeTime);
  const rest = Object.entries(doc).filter(([, value]) => value !== storeTime);
  return { $mergeObjects: [{ $literal: Object.fromEntries(rest) }, Object.fromEntries(times.map(([field]) => [field, serverTime]))] };
}

/** Groups consecutive operations of the same kind and collection, which MongoDB runs as one command. */
export function batchesOf(operations: readonly Operation[]): Operation[][] {
  const batches: Operation[][] = [];
  for (const operation of operations) {
    const batch = batches.at(-1);
    const joins = batch !== undefined && batch[0]!.in.name === operation.in.name && kindOf(batch[0]!) === kindOf(operation);
    if (joins && kindOf(operation) !== "unbatched") batch.push(operation);
    else batches.push([operation]);
  }
  return batches;
}
const kindOf = ({ op }: Operation): "insert" | "touch" | "unbatched" =>
  op === "insert" ? "insert" : op === "update" || op === "expect" ? "touch" : "unbatched";

/**
 * @throws Conflict    an update or expectation matched no row
 * @throws UpsertRace  another writer added the row of an upsert
 */
export async function write(batch: readonly Operation[], at: number, { collections, session }: Required<WriteContext>): Promise<void> {
  const operation = batch[0]!;
  const rows = rowsOf(collections, operation);
  switch (operation.op) {
    case "insert":
      await rows.insertMany(
        (batch as Insert[]).map(({ doc }) => withCommitTime(doc, at) as MongoRow),
        { session },
      );
      return;
    case "update":
    case "expect": {
      const updates = (batch as Touch[]).map((touch) => ({
        updateOne: { filter: uniqueFilter(touch.in, touch.where), update: changing(set(touch), at) },
      }));
      const { matchedCount } = await rows.bulkWrite(updates, { session });
      if (matchedCount < batch.length) throw new Conflict();
      return;
    }
    case "updateAll":
      await rows.updateMany(filterOf(operation.in, operation.where), changing(operation.set, at), { session });
      return;
    case "remove":
      await rows.deleteMany(filterOf(operation.in, operation.where), { session });
      return;
    case "upsert":
      await upsertRow(rows, operation, at, session);
      return;
  }
}

async function upsertRow(rows: MongoRows, { in: c, key, set, insert }: Upsert, at: number, session: mongo.ClientSession): Promise<void> {
  const { matchedCount } = await rows.updateOne(uniqueFilter(c, key), changing(set, at), { session });
  if (matchedCount > 0) return;
  try {
    await rows.insertOne(withCommitTime({ _id: newId(), ...key, ...set, ...insert }, at) as MongoRow, { session });
  } catch (error) {
    const own =
      "_id" in key ? "_id" : Object.entries(c.indexes).find(([, { fields }]) => (fields as string[]).every((field) => field in key))?.[0];
    if (duplicateOf(error)?.index === own) throw new UpsertRace();
    throw error;
  }
}

function changing(values: object, at: number): mongo.UpdateFilter<MongoRow> {
  const update: mongo.Document = {
    $inc: { [lockField]: 1 },
    ...(writtenFields(values).length > 0 ? { $set: withCommitTime(values, at) } : {}),
  };
  return update;
}

function withCommitTime(values: object, at: number): mongo.Document {
  return Object.fromEntries(Object.entries(values).map(([field, value]) => [field, value === storeTime ? at : (value as unknown)]));
}
