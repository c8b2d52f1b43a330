/**
 * Compiles a commit's operations to prepared statements and values. Each shape (operation and fields) becomes one numbered statement that
 * the writer thread keeps, so that a commit travels as numbers and values and its SQL is parsed once.
 */
import { newId } from "../../ids.ts";
import { checkOperation, checkedConditions, uniqueKey, writtenFields, type Scalar } from "../query-checks.ts";
import { storeTime, type Operation } from "../store.ts";
import type { Table, Tables } from "./tables.ts";

/** `must`: what has to happen, or the commit fails as a conflict: a changed row (`write`) or a found row (`find`). */
export interface Statement {
  readonly sql: string;
  readonly must?: "write" | "find";
}
export type SqlValue = string | number | null;
export type StatementCall = readonly [statement: number, values: readonly SqlValue[]];

/** All statements in use. A statement's number is its index in `list`. */
export interface Statements {
  readonly list: readonly Statement[];
  /** @throws Error, Invalid  a malformed operation */
  compile(tables: Tables, operations: readonly Operation[], at: number): StatementCall[];
}

type DocumentFields = Record<string, unknown>;

export function statementCache(): Statements {
  const list: Statement[] = [];
  const numbers = new WeakMap<Table, Map<string, number>>();
  const numberOf = (table: Table, shape: string, make: () => Statement): number => {
    const own = numbers.get(table) ?? new Map<string, number>();
    numbers.set(table, own);
    let number = own.get(shape);
    if (number === undefined) {
      number = list.push(make()) - 1;
      own.set(shape, number);
    }
    return number;
  };
  return {
    list,
    compile: (tables, operations, at) =>
      operations.map((operation) => {
        checkOperation(operation);
        const table = tables.get(operation.in.name);
        if (table === undefined) throw new Error(`${operation.in.name} is not a collection of this service`);
        return compile(table, operation, at, (shape, make) => numberOf(table, shape, make));
      }),
  };
}

function compile(
  table: Table,
  operation: Operation,
  at: number,
  numberOf: (shape: string, make: () => Statement) => number,
): StatementCall {
  const shape = (...fields: readonly string[][]) => `${operation.op} ${fields.join(" ")}`;
  switch (operation.op) {
    case "insert": {
      const row = withCommitTime(operation.doc, at);
      return [numberOf(shape(), () => insertInto(table)), rowValues(table, row)];
    }
    case "update":
    case "updateAll": {
      const where = checkedConditions(operation.in, operation.where);
      // Sorted, so that the same fields in any order share one statement.
      const set = writtenFields(operation.set).sort();
      const number = numberOf(shape(set, fieldsOf(where)), () => ({
        sql: `UPDATE "${table.name}" SET ${assignments(table, set, 1)} WHERE ${matching(table, fieldsOf(where))}`,
        ...(operation.op === "update" ? { must: "write" } : {}),
      }));
      return [number, [...setValues(table, set, withCommitTime(operation.set, at)), ...where.map(conditionValue)]];
    }
    case "upsert": {
      const key = uniqueKey(operation.in, operation.key);
      const set = writtenFields(operation.set);
      const row = withCommitTime({ _id: newId(), ...operation.key, ...operation.set, ...operation.insert }, at);
      const number = numberOf(shape([...key], set), () => {
        const target = key.map((field) => `"${field}"`).join(", ");
        const change = set.length === 0 ? "NOTHING" : `UPDATE SET ${assignments(table, set, table.columns.length + 3)}`;
        return { sql: `${insertInto(table).sql} ON CONFLICT (${target}) DO ${change}` };
      });
      return [number, [...rowValues(table, row), ...(set.length === 0 ? [] : setValues(table, set, withCommitTime(operation.set, at)))]];
    }
    case "remove": {
      const where = checkedConditions(operation.in, operation.where);
      const make = () => ({ sql: `DELETE FROM "${table.name}" WHERE ${matching(table, fieldsOf(where))}` });
      return [numberOf(shape(fieldsOf(where)), make), where.map(conditionValue)];
    }
    case "expect": {
      const where = checkedConditions(operation.in, operation.where);
      const make = () => ({ sql: `SELECT 1 FROM "${table.name}" WHERE ${matching(table, fieldsOf(where))}`, must: "find" }) as const;
      return [numberOf(shape(fieldsOf(where)), make), where.map(conditionValue)];
    }
  }
}

const fieldsOf = (where: readonly [string, Scalar][]): string[] => where.map(([field]) => field);

/**
 * Converts a value for a column. SQLite has no booleans, neither in columns nor in values extracted from JSON. An object can only reach a
 * column that another release declared; its index then leaves the row out.
 */
export function sqlValue(value: unknown): SqlValue {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "string" || typeof value === "number" ? value : null;
}
const conditionValue = ([, value]: readonly [string, Scalar]): SqlValue => sqlValue(value);

/** `IS` rather than `=`, so that null matches null. */
export const matching = (table: Table, fields: readonly string[]): string =>
  fields.map((field) => `${expression(table, field)} IS ?`).join(" AND ");
const expression = (table: Table, field: string): string =>
  field === "_id" || table.columns.includes(field) ? `"${field}"` : `doc ->> '$.${field}'`;

function insertInto({ name, columns }: Table): Statement {
  const all = ["_id", ...columns, "doc"];
  return { sql: `INSERT INTO "${name}" (${all.map((column) => `"${column}"`).join(", ")}) VALUES (${all.map(() => "?").join(", ")})` };
}
const rowValues = ({ columns }: Table, row: DocumentFields): SqlValue[] => [
  row["_id"] as string,
  ...columns.map((column) => sqlValue(row[column])),
  JSON.stringify(row),
];

/**
 * The SET clause. Each column takes its own parameter; the document takes all its values from one JSON parameter.
 * @param first  number of the first parameter
 */
function assignments(table: Table, set: readonly string[], first: number): string {
  if (set.length === 0) return "doc = doc";
  const columns = set.filter((field) => table.columns.includes(field)).map((field, i) => `"${field}" = ?${first + i}`);
  const json = `?${first + columns.length}`;
  return [
    ...columns,
    `doc = json_set("${table.name}".doc, ${set.map((field) => `'$.${field}', ${json} -> '$.${field}'`).join(", ")})`,
  ].join(", ");
}
const setValues = (table: Table, set: readonly string[], values: DocumentFields): SqlValue[] =>
  set.length === 0
    ? []
    : [...set.filter((field) => table.columns.includes(field)).map((field) => sqlValue(values[field])), JSON.stringify(values)];

/** Replaces `storeTime` in a document with the commit's time. */
function withCommitTime(doc: object, at: number): DocumentFields {
  const row = { ...doc } as DocumentFields;
  for (const field in row) if (row[field] === storeTime) row[field] = at;
  return row;
}
