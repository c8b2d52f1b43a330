/**
 * Validates queries and operations for all adapters: field names, values, and that an index serves the query. So a value from outside can
 * never become an operator, and a query without an index fails in its first test.
 */
import { Invalid } from "../errors.ts";
import type { Collection, Index, Operation, PageQuery } from "./store.ts";

/** A value to compare with in a condition. */
export type Scalar = string | number | boolean | null;

const fieldName = /^[A-Za-z_]\w*$/;

export function checkName(c: Collection, field: string): void {
  if (!fieldName.test(field)) throw new Invalid(`${c.name}: "${field}" is not a field name`);
}

/** Written values must be JSON, and scalars in indexed fields. */
function checkWritten(c: Collection, fields: object): void {
  for (const [field, value] of Object.entries(fields) as [string, unknown][]) {
    checkName(c, field);
    if (typeof value === "function" || typeof value === "bigint") throw new Invalid(`${c.name}.${field}: not a JSON value`);
    if (typeof value !== "object" || value === null) continue;
    const isIndexed = Object.values(c.indexes).some((index) => index.fields.includes(field));
    if (isIndexed) throw new Invalid(`${c.name}.${field}: an index holds single values only`);
  }
}

function checkScalar(c: Collection, field: string, value: unknown): void {
  const isScalar = value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
  if (!isScalar) throw new Invalid(`${c.name}.${field}: a condition must be a string, a number, a boolean or null`);
}

/**
 * Returns a condition's fields and values.
 * @throws Invalid  no fields, or a value that is an object, an array, undefined or not a finite number
 */
export function checkedConditions(c: Collection, where: object): [field: string, value: Scalar][] {
  const pairs = Object.entries(where) as [string, Scalar][];
  if (pairs.length === 0) throw new Invalid(`${c.name}: a condition must name at least one field`);
  for (const [field, value] of pairs) {
    checkName(c, field);
    checkScalar(c, field, value);
  }
  return pairs;
}

/** Fields to write: those set to undefined are left out. */
export const writtenFields = (set: object): string[] =>
  Object.keys(set).filter((field) => (set as Record<string, unknown>)[field] !== undefined);

/**
 * Returns the complete unique key that a condition names: `_id`, or the fields of a unique index.
 * @throws Error  it names none, so that several rows could match
 */
export function uniqueKey(c: Collection, where: object): readonly string[] {
  const values = where as Record<string, unknown>;
  const given = (field: string) => values[field] !== undefined && values[field] !== null;
  if (given("_id")) return ["_id"];
  const index = Object.values(c.indexes).find(({ unique, fields }) => unique === true && fields.every(given));
  if (index === undefined) throw new Error(`${c.name}: {${Object.keys(where).join()}} names neither _id nor a whole unique index`);
  return index.fields;
}

/** @throws Error  no index begins with a field of the condition, so that every row would be read */
export function checkIndexed(c: Collection, where: object): void {
  const indexed = "_id" in where || Object.values(c.indexes).some(({ fields }) => fields[0]! in where);
  if (!indexed) throw new Error(`${c.name}: no index begins with one of ${Object.keys(where).join()}`);
}

/** Validates an operation. Called before any operation of its commit runs. */
export function checkOperation(operation: Operation): void {
  const c = operation.in;
  switch (operation.op) {
    case "insert":
      if (typeof operation.doc._id !== "string") throw new Invalid(`${c.name}: a document needs an _id`);
      checkWritten(c, operation.doc);
      return;
    case "update":
      checkWritten(c, operation.set);
      checkedConditions(c, operation.where);
      uniqueKey(c, operation.where);
      return;
    case "expect":
      checkedConditions(c, operation.where);
      uniqueKey(c, operation.where);
      return;
    case "upsert": {
      checkWritten(c, operation.set);
      checkWritten(c, operation.insert);
      checkedConditions(c, operation.key);
      const key = uniqueKey(c, operation.key);
      if (Object.keys(operation.key).length > key.length)
        throw new Error(`${c.name}: an upsert's key must be a unique key and nothing else`);
      return;
    }
    case "updateAll":
      checkWritten(c, operation.set);
      checkedConditions(c, operation.where);
      checkIndexed(c, operation.where);
      return;
    case "remove":
      checkedConditions(c, operation.where);
      checkIndexed(c, operation.where);
      return;
  }
}

/** A page as a range of its index: values for the first fields, bounds for the fields after those. */
export interface IndexRange {
  readonly fields: readonly string[];
  readonly unique: boolean;
  /** Values of the first fields. */
  readonly equal: readonly Scalar[];
  /** Exclusive bounds for the fields after `equal`; empty means none. */
  readonly after: readonly Scalar[];
  readonly before: readonly Scalar[];
  readonly order: "asc" | "desc";
  readonly limit: number;
}

/**
 * @throws Error    `where` doesn't name the index's first fields, or a bound has more values than there are fields left
 * @throws Invalid  a value is not a scalar, or the limit is not a whole number
 */
export function indexRangeOf(
  c: Collection,
  { index, where = {}, after = [], before = [], order = "asc", limit }: PageQuery<object>,
): IndexRange {
  const declared = (c.indexes as Record<string, Index<never> | undefined>)[index];
  if (declared === undefined) throw new Error(`${c.name} has no index ${index}`);
  const fields: readonly string[] = declared.fields;
  const given = Object.keys(where);
  const first = fields.slice(0, given.length);
  const rest = fields.slice(given.length);
  if (!given.every((field) => first.includes(field))) throw new Error(`${c.name}.${index} does not begin with ${given.join()}`);
  if (Math.max(after.length, before.length) > rest.length) throw new Error(`${c.name}.${index}: a bound has too many values`);
  if (!Number.isSafeInteger(limit) || limit < 0) throw new Invalid(`${c.name}.${index}: limit must be a whole number`);
  const equal = first.map((field) => (where as Record<string, Scalar>)[field]!);
  for (const [i, value] of equal.entries()) checkScalar(c, first[i]!, value);
  for (const value of [...after, ...before] as unknown[]) {
    if (typeof value !== "string" && !Number.isFinite(value)) throw new Invalid(`${c.name}.${index}: a bound must be a string or a number`);
  }
  return { fields, unique: declared.unique === true, equal, after, before, order, limit };
}
