/** The port's conditions and pages in MongoDB's terms. */
import mongoose, { type mongo } from "mongoose";
import { checkedConditions, uniqueKey, type IndexRange, type Scalar } from "../query-checks.ts";
import type { Collection } from "../store.ts";
import { indexedTypes, type MongoRow } from "./collections.ts";

const { MaxKey, MinKey } = mongoose.mongo;

/** Counts the writes to a row, also those that change none of its values: MongoDB fences only what a transaction writes. */
export const lockField = "_lock";

/** Rows with these values. */
export function filterOf(c: Collection, where: object): mongo.Filter<MongoRow> {
  return Object.fromEntries(checkedConditions(c, where).map(([field, value]) => [field, { $eq: value }]));
}

/** The one row with this unique key, and the condition's other values. */
export function uniqueFilter(c: Collection, where: object): mongo.Filter<MongoRow> {
  const filter = filterOf(c, where);
  const key = uniqueKey(c, where);
  if (key[0] === "_id") return filter;
  // Said in the index's own words, or MongoDB would not know that the partial index holds the row.
  const typeConditions = key.map((field) => [field, { ...(filter[field] as object), $type: indexedTypes }]);
  return { ...filter, ...Object.fromEntries(typeConditions) } as mongo.Filter<MongoRow>;
}

/**
 * The part of an index that a page reads, as its first key (inclusive) and its last (exclusive), so that not one entry more is
 * looked at, also with a bound of several fields.
 * @returns undefined when nothing lies between the bounds
 */
export function indexBoundsOf({ fields, equal, after, before }: IndexRange): { min: mongo.Document; max: mongo.Document } | undefined {
  if (after.length > 0 && before.length > 0 && !liesBelow(after, before)) return undefined;
  const isWhole = (values: readonly Scalar[]) => equal.length + values.length === fields.length;
  const first = [...equal, ...after];
  const last = [...equal, ...before];
  // Nothing is left to range over: the one key, and what follows it.
  if (isWhole([])) return { min: keyed(fields, equal), max: keyed(fields, followed(equal)) };
  // As in SQL, what is below a bound is a value: rows with null come before all numbers, and those begin with NaN.
  if (after.length === 0 && before.length > 0) first.push(NaN);
  return {
    min: isWhole(after) ? keyed(fields, followed(first)) : keyed(fields, first, after.length > 0 ? new MaxKey() : new MinKey()),
    max: keyed(fields, last, before.length > 0 ? new MinKey() : new MaxKey()),
  };
}

/** Whether one bound lies below the other: their first difference decides, in MongoDB's order of numbers, then texts by their bytes. */
function liesBelow(lower: readonly Scalar[], upper: readonly Scalar[]): boolean {
  const index = lower.findIndex((value, i) => value !== upper[i]);
  if (index < 0 || index >= upper.length) return false;
  const [low, high] = [lower[index]!, upper[index]!];
  if (typeof low !== typeof high) return typeof low === "number";
  return typeof low === "string" ? Buffer.compare(Buffer.from(low), Buffer.from(high as string)) < 0 : low < high;
}

const keyed = (fields: readonly string[], values: readonly unknown[], filler?: unknown): mongo.Document =>
  Object.fromEntries(fields.map((field, i) => [field, i < values.length ? values[i] : filler]));

/** The key that comes next, so that an inclusive bound becomes an exclusive one. */
const followed = (key: readonly Scalar[]): unknown[] => [...key.slice(0, -1), successor(key.at(-1)!)];

/** The least value above this one, in MongoDB's order: null, numbers, texts, booleans. */
function successor(value: Scalar): unknown {
  if (value === null) return NaN;
  if (value === false) return true;
  if (value === true) return new MaxKey();
  if (typeof value === "string") return `${value}\0`;
  if (value === 0) return Number.MIN_VALUE;
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  bits.setBigInt64(0, bits.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}
