/** One service's tables in the embedded store, behind the port's verbs. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { Conflict, Unavailable } from "../../errors.ts";
import { conditions, rangeOf, uniqueKey, type Range } from "../shapes.ts";
import { Duplicate, type Collection, type Database, type Doc, type Operation, type Page, type Where } from "../store.ts";
import type { Failure } from "./messages.ts";
import { bound, matching, type Value } from "./statements.ts";
import type { Table, Tables } from "./tables.ts";
import type { Writer } from "./writer.ts";

export function openDatabase(connection: DatabaseSync, writer: Writer, tables: Tables): Database {
  const prepared = new Map<string, StatementSync>();
  const read = (sql: string, values: readonly Value[]): SQLOutputValue[][] => {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = connection.prepare(sql);
      statement.setReturnArrays(true);
      prepared.set(sql, statement);
    }
    return statement.all(...values) as unknown as SQLOutputValue[][];
  };
  const docs = <T>(sql: string, values: readonly Value[]): T[] => read(sql, values).map(([doc]) => JSON.parse(doc as string) as T);
  const tableOf = (c: Collection): Table => {
    const table = tables.get(c.name);
    if (table === undefined) throw new Error(`${c.name} is not a collection of this service`);
    return table;
  };

  const getMany = <T extends Doc>(from: Collection<T>, ids: readonly string[]): T[] =>
    docs(`SELECT doc FROM "${tableOf(from).name}" WHERE _id IN (SELECT value FROM json_each(?))`, [JSON.stringify(ids)]);
  const findOne = <T extends Doc>(from: Collection<T>, key: Where<T>): T | undefined => {
    const where = conditions(from, key);
    uniqueKey(from, key);
    const table = tableOf(from);
    const fields = where.map(([field]) => field);
    return docs<T>(
      `SELECT doc FROM "${table.name}" WHERE ${matching(table, fields)}`,
      where.map(([, value]) => bound(value)),
    )[0];
  };

  return {
    get: (from, id) => attempt(() => findOne(from, { _id: id } as Where<any>)),
    getMany: (from, ids) => attempt(() => getMany(from, ids)),
    find: (from, keys) =>
      attempt(() => {
        const found = keys.map((key) => findOne(from, key)).filter((doc) => doc !== undefined);
        return [...new Map(found.map((doc) => [doc._id, doc])).values()];
      }),
    page: <T extends Doc>(from: Collection<T>, page: Page<T>) =>
      attempt(() => {
        const range = rangeOf(from, page);
        return docs<T>(`SELECT doc FROM ${selection(tableOf(from), page.index, range)}`, rangeValues(range));
      }),
    count: (from, page) =>
      attempt(() => {
        const range = rangeOf(from, page);
        const sql = `SELECT count(*) FROM (SELECT 1 FROM ${selection(tableOf(from), page.index, range)})`;
        return read(sql, rangeValues(range))[0]![0] as number;
      }),
    async commit(operations: readonly Operation[]) {
      const at = Date.now();
      const failure = await writer.write(writer.statements.compile(tables, operations, at));
      if (failure !== undefined) throw errorOf(failure, tables);
      return { at };
    },
  };
}

/** The part of a SELECT that reads a page in its index's order; the index is named, so that no other is ever taken. */
function selection({ name }: Table, index: string, { fields, unique, equal, after, before, order }: Range): string {
  const rest = fields.slice(equal.length);
  const compared = (values: readonly unknown[], sign: string) =>
    values.length === 0
      ? []
      : [
          `(${rest
            .slice(0, values.length)
            .map((field) => `"${field}"`)
            .join(", ")}) ${sign} (${values.map(() => "?").join(", ")})`,
        ];
  const where = [
    ...fields.slice(0, equal.length).map((field) => `"${field}" IS ?`),
    ...compared(after, ">"),
    ...compared(before, "<"),
    // As in the mesh's store, where a unique index does not hold rows that lack one of its fields.
    ...(unique ? rest.map((field) => `"${field}" IS NOT NULL`) : []),
  ];
  const ordered = rest.map((field) => `"${field}" ${order.toUpperCase()}`).join(", ");
  return [
    `"${name}" INDEXED BY "${name}_${index}"`,
    where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`,
    ordered === "" ? "" : `ORDER BY ${ordered}`,
    "LIMIT ?",
  ].join(" ");
}
const rangeValues = ({ equal, after, before, limit }: Range): Value[] => [...[...equal, ...after, ...before].map(bound), limit];

/** Reads as a promise; whatever SQLite has to complain about then is the disk. */
async function attempt<T>(read: () => T): Promise<T> {
  try {
    return await Promise.resolve(read());
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_SQLITE_ERROR")
      throw new Unavailable(`The store can't read: ${(error as Error).message}`);
    throw error;
  }
}

function errorOf(failure: Failure, tables: Tables): Error {
  switch (failure.kind) {
    case "conflict":
      return new Conflict();
    case "unavailable":
      return new Unavailable();
    case "error":
      return new Error(`the store refused a commit: ${failure.detail}`);
    case "duplicate": {
      const broken = failure.constraint.split(", ").map((column) => column.split(".")) as [string, string][];
      const { collection } = [...tables.values()].find(({ name }) => name === broken[0]![0])!;
      const columns = broken.map(([, column]) => column).join();
      const index = Object.entries(collection.indexes).find(([, { fields, unique }]) => unique === true && fields.join() === columns);
      return new Duplicate(collection.name, index?.[0] ?? "_id");
    }
  }
}
