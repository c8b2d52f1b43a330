/** Builds the SELECTs for pages and counts; each reads one range of one index. */
import type { IndexRange } from "../query-checks.ts";
import { sqlValue, type SqlValue } from "./statements.ts";
import type { Table } from "./tables.ts";

export interface SqlQuery {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

export const pageQuery = (table: Table, range: IndexRange, index: string): SqlQuery => ({
  sql: `SELECT doc FROM ${selection(table, range, index)}`,
  values: valuesOf(range),
});

export const countQuery = (table: Table, range: IndexRange, index: string): SqlQuery => ({
  sql: `SELECT count(*) FROM (SELECT 1 FROM ${selection(table, range, index)})`,
  values: valuesOf(range),
});

/** `INDEXED BY` keeps SQLite from choosing another index. */
function selection({ name }: Table, { fields, unique, equal, after, before, order }: IndexRange, index: string): string {
  const rest = fields.slice(equal.length);
  const where = [
    ...fields.slice(0, equal.length).map((field) => `"${field}" IS ?`),
    ...boundCondition(rest, after, ">"),
    ...boundCondition(rest, before, "<"),
    // As in MongoDB, where a partial unique index leaves out rows that lack one of its fields.
    ...(unique ? rest.map((field) => `"${field}" IS NOT NULL`) : []),
  ];
  const ordered = rest.map((field) => `"${field}" ${order.toUpperCase()}`);
  return [
    `"${name}" INDEXED BY "${name}_${index}"`,
    where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`,
    ordered.length === 0 ? "" : `ORDER BY ${ordered.join(", ")}`,
    "LIMIT ?",
  ].join(" ");
}

function boundCondition(fields: readonly string[], values: readonly unknown[], sign: "<" | ">"): string[] {
  if (values.length === 0) return [];
  const columns = fields.slice(0, values.length).map((field) => `"${field}"`);
  return [`(${columns.join(", ")}) ${sign} (${values.map(() => "?").join(", ")})`];
}

const valuesOf = ({ equal, after, before, limit }: IndexRange): SqlValue[] => [...[...equal, ...after, ...before].map(sqlValue), limit];
