/** Translates the port's conditions and pages to MongoDB filters and index bounds. */
import mongoose, { type mongo } from "mongoose";
import { checkedConditions, uniqueKey, type IndexRange, type Scalar } from "../query-checks.ts";
import type { Collection } from "../store.ts";
import { indexedTypes, type MongoRow } from "./collections.ts";

const { MaxKey, MinKey } = mongoose.mongo;

/**
 * Field that every write increments, also a write that changes no value: a MongoDB transaction detects conflicts only on rows that it
 * writes.
 */
export const lockField = "_lock";

/** Matches rows with these values. */
export function filterOf(c: Collection, where: object): mongo.Filter<MongoRow> {
  return Object.fromEntries(checkedConditions(c, where).map(([field, value]) => [field, { $eq: value }]));
}

/** Matches the one row with this unique key, and the condition's other values. */
export function uniqueFilter(c: Collection, where: object): mongo.Filter<MongoRow> {
  const filter = filterOf(c, where);
  const key = uniqueKey(c, where);
  if (key[0] === "_id") return filter;
  // MongoDB uses the partial index only if the filter repeats the index's own type condition.
  const typeConditions = key.map((field) => [field, { ...(filter[field] as object), $type: indexedTypes }]);
  return { ...filter, ...Object.fromEntries(typeConditions) } as mongo.Filter<MongoRow>;
}

/**
 * Returns the range of an index that a page reads, as its first key (inclusive) and last key (exclusive), so that MongoDB examines no entry
 * outside the range, also when a bound has several fields.
 * @returns undefined when nothing lies between the bounds
 */
export function indexBoundsOf({ fields, equal, after, before }: IndexRange): { min: mongo.Document; max: mongo.Document } | undefined {
  if (after.length > 0 && before.length > 0 && !liesBelow(after, before)) return undefined;
  const isWhole = (values: readonly Scalar[]) => equal.length + values.length === fields.length;
  const first = [...equal, ...after];
  const last = [...equal, ...before];
  // `equal` is a complete key: the range is that key up to its successor.
  if (isWhole([])) return { min: keyed(fields, equal), max: keyed(fields, followed(equal)) };
  // As in SQL, null is not below a bound. Null sorts before all numbers, and the lowest number is NaN.
  if (after.length === 0 && before.length > 0) first.push(NaN);
  return {
    min: isWhole(after) ? keyed(fields, followed(first)) : keyed(fields, first, after.length > 0 ? new MaxKey() : new MinKey()),
    max: keyed(fields, last, before.length > 0 ? new MinKey() : new MaxKey()),
  };
}

/** Whether one bound sorts before the other. The first difference decides, in MongoDB's order: numbers, then strings by bytes. */
function liesBelow(lower: readonly Scalar[], upper: readonly Scalar[]): boolean {
  const index = lower.findIndex((value, i) => value !== upper[i]);
  if (index < 0 || index >= upper.length) return false;
  const [low, high] = [lower[index]!, upper[index]!];
  if (typeof low !== typeof high) return typeof low === "number";
  return typeof low === "string" ? Buffer.compare(Buffer.from(low), Buffer.from(high as string)) < 0 : low < high;
}

const keyed = (fields: readonly string[], values: readonly unknown[], filler?: unknown): mongo.Document =>
  Object.fromEntries(fields.map((field, i) => [field, i < values.length ? values[i] : filler]));

/** The next key, which turns an inclusive bound into an exclusive one. */
const followed = (key: readonly Scalar[]): unknown[] => [...key.slice(0, -1), successor(key.at(-1)!)];

/** The smallest value above this one in MongoDB's order: null, numbers, strings, booleans. */
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
