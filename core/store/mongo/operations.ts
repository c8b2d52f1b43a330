/** A commit's operations as MongoDB's commands. */
import type { mongo } from "mongoose";
import { Conflict } from "../../errors.ts";
import { newId } from "../../ids.ts";
import { writtenFields } from "../shapes.ts";
import { storeTime, type Operation } from "../store.ts";
import { clock, type Collections, type Row, type Rows } from "./collections.ts";
import { lock, matching, matchingOne } from "./conditions.ts";
import { duplicateOf } from "./failures.ts";

type Insert = Extract<Operation, { op: "insert" }>;
type Touch = Extract<Operation, { op: "update" | "expect" }>;
type Upsert = Extract<Operation, { op: "upsert" }>;

/** Someone else added the row that an upsert was about to add: the commit is done again, and finds it. */
export class Overtaken extends Error {}

export interface Doing {
  readonly collections: Collections;
  readonly session?: mongo.ClientSession;
}

/** Only an insert or an update is one atomic command; of the others, some rows could be written without the rest. */
export const isAtomic = (operations: readonly Operation[]): operations is readonly [Insert | Touch] =>
  operations.length === 1 && (operations[0]!.op === "insert" || operations[0]!.op === "update");

export function rowsOf(collections: Collections, { in: c }: { readonly in: Operation["in"] }): Rows {
  const rows = collections.get(c.name);
  if (rows === undefined) throw new Error(`${c.name} is not a collection of this service`);
  return rows;
}

const serverTime = { $toLong: "$$NOW" };
const longestMs = 6000;

/**
 * An insert or update that takes its time from the server and returns it: a process that froze with a time in its hands would
 * otherwise write, when it goes on, what others have looked past already.
 */
export async function writeTimed(operation: Insert | Touch, { collections, session }: Doing): Promise<number> {
  const rows = rowsOf(collections, operation);
  const options = { ...within(session), returnDocument: "after", projection: { _id: 0, at: serverTime } } as const;
  const answered =
    operation.op === "insert"
      ? await rows.findOneAndUpdate(absent(operation.doc._id), [{ $replaceWith: literal(operation.doc) }], { ...options, upsert: true })
      : await rows.findOneAndUpdate(
          matchingOne(operation.in, operation.where),
          [{ $set: { ...fieldsOf(set(operation)), [lock]: next } }],
          options,
        );
  if (answered === null) throw new Conflict();
  return answered["at"] as number;
}

/** The server's time, in a transaction or out of it. */
export async function readTime({ collections, session }: Required<Doing>): Promise<number> {
  const options = { ...(session.inTransaction() ? {} : { maxTimeMS: longestMs }), projection: { _id: 0, at: serverTime } };
  const answered = await collections.get(clock)!.findOne({ _id: clock }, { session, ...options });
  return answered!["at"] as number;
}

const next = { $add: [{ $ifNull: [`$${lock}`, 0] }, 1] };
/** Matches no row, so that the row is added, or clashes with the one that has this id. */
const absent = (_id: string) => ({ _id: { $eq: _id }, [lock]: { $type: "minKey" } }) as mongo.Filter<Row>;
const within = (session: mongo.ClientSession | undefined) => (session === undefined ? { maxTimeMS: longestMs } : { session });
const set = (operation: Touch): object => (operation.op === "update" ? operation.set : {});
const fieldsOf = (values: object): mongo.Document =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]) => [field, value === storeTime ? serverTime : { $literal: value as unknown }]),
  );
/** A document whose values are never read as expressions. */
function literal(doc: object): mongo.Document {
  const times = Object.entries(doc).filter(([, value]) => value === storeTime);
  const rest = Object.entries(doc).filter(([, value]) => value !== storeTime);
  return { $mergeObjects: [{ $literal: Object.fromEntries(rest) }, Object.fromEntries(times.map(([field]) => [field, serverTime]))] };
}

/** Operations that follow each other and go to MongoDB as one command: equal in kind and collection. */
export function runsOf(operations: readonly Operation[]): Operation[][] {
  const runs: Operation[][] = [];
  for (const operation of operations) {
    const run = runs.at(-1);
    const joins = run !== undefined && run[0]!.in.name === operation.in.name && kindOf(run[0]!) === kindOf(operation);
    if (joins && kindOf(operation) !== "alone") run.push(operation);
    else runs.push([operation]);
  }
  return runs;
}
const kindOf = ({ op }: Operation): "insert" | "touch" | "alone" =>
  op === "insert" ? "insert" : op === "update" || op === "expect" ? "touch" : "alone";

/** @throws Conflict, Overtaken */
export async function write(run: readonly Operation[], at: number, { collections, session }: Required<Doing>): Promise<void> {
  const operation = run[0]!;
  const rows = rowsOf(collections, operation);
  switch (operation.op) {
    case "insert":
      await rows.insertMany(
        (run as Insert[]).map(({ doc }) => timed(doc, at) as Row),
        { session },
      );
      return;
    case "update":
    case "expect": {
      const updates = (run as Touch[]).map((touch) => ({
        updateOne: { filter: matchingOne(touch.in, touch.where), update: changing(set(touch), at) },
      }));
      const { matchedCount } = await rows.bulkWrite(updates, { session });
      if (matchedCount < run.length) throw new Conflict();
      return;
    }
    case "updateAll":
      await rows.updateMany(matching(operation.in, operation.where), changing(operation.set, at), { session });
      return;
    case "remove":
      await rows.deleteMany(matching(operation.in, operation.where), { session });
      return;
    case "upsert":
      await changeOrAdd(rows, operation, at, session);
      return;
  }
}

async function changeOrAdd(rows: Rows, { in: c, key, set, insert }: Upsert, at: number, session: mongo.ClientSession): Promise<void> {
  const { matchedCount } = await rows.updateOne(matchingOne(c, key), changing(set, at), { session });
  if (matchedCount > 0) return;
  try {
    await rows.insertOne(timed({ _id: newId(), ...key, ...set, ...insert }, at) as Row, { session });
  } catch (error) {
    const own =
      "_id" in key ? "_id" : Object.entries(c.indexes).find(([, { fields }]) => (fields as string[]).every((field) => field in key))?.[0];
    if (duplicateOf(error)?.index === own) throw new Overtaken();
    throw error;
  }
}

function changing(values: object, at: number): mongo.UpdateFilter<Row> {
  const update: mongo.Document = { $inc: { [lock]: 1 }, ...(writtenFields(values).length > 0 ? { $set: timed(values, at) } : {}) };
  return update;
}

function timed(values: object, at: number): mongo.Document {
  return Object.fromEntries(Object.entries(values).map(([field, value]) => [field, value === storeTime ? at : (value as unknown)]));
}
