/** The port's conditions and pages in MongoDB's terms. */
import mongoose, { type mongo } from "mongoose";
import { conditions, uniqueKey, type Range, type Scalar } from "../shapes.ts";
import type { Collection } from "../store.ts";
import { indexedTypes, type Row } from "./collections.ts";

const { MaxKey, MinKey } = mongoose.mongo;

/** Counts the writes to a row, also those that change none of its values: MongoDB fences only what a transaction writes. */
export const lock = "_lock";

/** Rows with these values. */
export function matching(c: Collection, where: object): mongo.Filter<Row> {
  return Object.fromEntries(conditions(c, where).map(([field, value]) => [field, { $eq: value }]));
}

/** The one row with this unique key, and the condition's other values. */
export function matchingOne(c: Collection, where: object): mongo.Filter<Row> {
  const filter = matching(c, where);
  const key = uniqueKey(c, where);
  if (key[0] === "_id") return filter;
  // Said in the index's own words, or MongoDB would not know that the partial index holds the row.
  const held = key.map((field) => [field, { ...(filter[field] as object), $type: indexedTypes }]);
  return { ...filter, ...Object.fromEntries(held) } as mongo.Filter<Row>;
}

/**
 * The part of an index that a page reads, as its first key (inclusive) and its last (exclusive), so that not one entry more is
 * looked at, also with a bound of several fields.
 * @returns undefined when nothing lies between the bounds
 */
export function keysOf({ fields, equal, after, before }: Range): { min: mongo.Document; max: mongo.Document } | undefined {
  if (after.length > 0 && before.length > 0 && !liesBelow(after, before)) return undefined;
  const rest = fields.length - equal.length;
  const open = after.length < rest;
  const first: unknown[] = after.map((value, i) => (open || i < rest - 1 ? value : successor(value)));
  // As in SQL, what is below a bound is a value: rows with null come before all numbers, and this is where those begin.
  if (after.length === 0 && before.length > 0) first.push(NaN);
  const filler = after.length > 0 ? new MaxKey() : new MinKey();
  const last: unknown[] = [...before];
  return {
    min: keyed(fields, [...equal, ...first], filler),
    max: keyed(fields, [...equal, ...last], before.length > 0 ? new MinKey() : new MaxKey()),
  };
}

/** Whether one bound lies below the other: their first difference decides, in MongoDB's order of numbers, then texts by their bytes. */
function liesBelow(lower: readonly Scalar[], upper: readonly Scalar[]): boolean {
  const place = lower.findIndex((value, i) => value !== upper[i]);
  if (place < 0 || place >= upper.length) return false;
  const [low, high] = [lower[place]!, upper[place]!];
  if (typeof low !== typeof high) return typeof low === "number";
  return typeof low === "string" ? Buffer.compare(Buffer.from(low), Buffer.from(high as string)) < 0 : low < high;
}

const keyed = (fields: readonly string[], values: readonly unknown[], filler: unknown): mongo.Document =>
  Object.fromEntries(fields.map((field, i) => [field, i < values.length ? values[i] : filler]));

/** The least value above this one, so that an inclusive bound becomes an exclusive one. */
function successor(value: Scalar): Scalar {
  if (typeof value === "string") return `${value}\0`;
  if (value === 0) return Number.MIN_VALUE;
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Number(value));
  bits.setBigInt64(0, bits.getBigInt64(0) + (Number(value) > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}
