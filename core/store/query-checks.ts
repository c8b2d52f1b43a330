/**
 * What the adapters check alike before they build a query: that fields are names, values are values, and that an index serves the
 * question. A value from outside can so never become an operator, and a question without an index fails in the first test.
 */
import { Invalid } from "../errors.ts";
import type { Collection, Index, Operation, PageQuery } from "./store.ts";

/** What a condition compares with. */
export type Scalar = string | number | boolean | null;

const fieldName = /^[A-Za-z_]\w*$/;

export function checkName(c: Collection, field: string): void {
  if (!fieldName.test(field)) throw new Invalid(`${c.name}: "${field}" is not a field name`);
}

/** What is written is JSON, and single values where an index holds them. */
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
  if (!isScalar) throw new Invalid(`${c.name}.${field}: a condition is a text, a number, a boolean or null`);
}

/**
 * A condition's fields and values.
 * @throws Invalid  no fields, or a value that is an object, an array, undefined or not a finite number
 */
export function checkedConditions(c: Collection, where: object): [field: string, value: Scalar][] {
  const pairs = Object.entries(where) as [string, Scalar][];
  if (pairs.length === 0) throw new Invalid(`${c.name}: a condition names at least one field`);
  for (const [field, value] of pairs) {
    checkName(c, field);
    checkScalar(c, field, value);
  }
  return pairs;
}

/** Fields that are to be written: those with undefined are left out. */
export const writtenFields = (set: object): string[] =>
  Object.keys(set).filter((field) => (set as Record<string, unknown>)[field] !== undefined);

/**
 * The whole unique key, `_id` or a unique index's fields, that a condition names.
 * @throws Error  it names none, so it could mean several rows
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

/** Checks an operation before anything of its commit is done. */
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
      if (Object.keys(operation.key).length > key.length) throw new Error(`${c.name}: an upsert's key is a unique key and nothing else`);
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

/** A page in terms of its index: values for the first fields, bounds for those that follow. */
export interface IndexRange {
  readonly fields: readonly string[];
  readonly unique: boolean;
  /** Values of the first fields. */
  readonly equal: readonly Scalar[];
  /** Bounds of the fields after those; empty: none. */
  readonly after: readonly Scalar[];
  readonly before: readonly Scalar[];
  readonly order: "asc" | "desc";
  readonly limit: number;
}

/**
 * @throws Error    `where` doesn't name the index's first fields, or a bound has more values than fields are left
 * @throws Invalid  a value that is not one
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
  if (!Number.isSafeInteger(limit) || limit < 0) throw new Invalid(`${c.name}.${index}: limit is a whole number`);
  const equal = first.map((field) => (where as Record<string, Scalar>)[field]!);
  for (const [i, value] of equal.entries()) checkScalar(c, first[i]!, value);
  for (const value of [...after, ...before] as unknown[]) {
    if (typeof value !== "string" && !Number.isFinite(value)) throw new Invalid(`${c.name}.${index}: a bound is a text or a number`);
  }
  return { fields, unique: declared.unique === true, equal, after, before, order, limit };
}
