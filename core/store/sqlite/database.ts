/** Implements the port's `Database` on one service's tables. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { Conflict, Unavailable } from "../../errors.ts";
import { checkedConditions, indexRangeOf, uniqueKey } from "../query-checks.ts";
import { Duplicate, type Collection, type Database, type Doc, type Operation, type PageQuery, type Where } from "../store.ts";
import type { CommitFailure } from "./writer-messages.ts";
import { countQuery, pageQuery } from "./pages.ts";
import { sqlValue, matching, type SqlValue } from "./statements.ts";
import type { Table, Tables } from "./tables.ts";
import type { Writer } from "./writer.ts";

export function openDatabase(connection: DatabaseSync, writer: Writer, tables: Tables): Database {
  const prepared = new Map<string, StatementSync>();
  const read = (sql: string, values: readonly SqlValue[]): SQLOutputValue[][] => {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = connection.prepare(sql);
      statement.setReturnArrays(true);
      prepared.set(sql, statement);
    }
    // eslint-disable-next-line no-restricted-syntax -- Node's types don't follow setReturnArrays
    return statement.all(...values) as unknown as SQLOutputValue[][];
  };
  const docs = <T>(sql: string, values: readonly SqlValue[]): T[] => read(sql, values).map(([doc]) => JSON.parse(doc as string) as T);
  const tableOf = (c: Collection): Table => {
    const table = tables.get(c.name);
    if (table === undefined) throw new Error(`${c.name} is not a collection of this service`);
    return table;
  };

  const getMany = <T extends Doc>(from: Collection<T>, ids: readonly string[]): T[] =>
    docs(`SELECT doc FROM "${tableOf(from).name}" WHERE _id IN (SELECT value FROM json_each(?))`, [JSON.stringify(ids)]);
  const findOne = <T extends Doc>(from: Collection<T>, key: Where<T>): T | undefined => {
    const where = checkedConditions(from, key);
    uniqueKey(from, key);
    const table = tableOf(from);
    const fields = where.map(([field]) => field);
    return docs<T>(
      `SELECT doc FROM "${table.name}" WHERE ${matching(table, fields)}`,
      where.map(([, value]) => sqlValue(value)),
    )[0];
  };

  return {
    get: <T extends Doc>(from: Collection<T>, id: string) => withReadErrors(() => findOne(from, { _id: id } as Where<T>)),
    getMany: (from, ids) => withReadErrors(() => getMany(from, ids)),
    find: (from, keys) =>
      withReadErrors(() => {
        const found = keys.map((key) => findOne(from, key)).filter((doc) => doc !== undefined);
        return [...new Map(found.map((doc) => [doc._id, doc])).values()];
      }),
    page: <T extends Doc>(from: Collection<T>, page: PageQuery<T>) =>
      withReadErrors(() => {
        const { sql, values } = pageQuery(tableOf(from), indexRangeOf(from, page), page.index);
        return docs<T>(sql, values);
      }),
    count: (from, page) =>
      withReadErrors(() => {
        const { sql, values } = countQuery(tableOf(from), indexRangeOf(from, page), page.index);
        return read(sql, values)[0]![0] as number;
      }),
    async commit(operations: readonly Operation[]) {
      const at = Date.now();
      const failure = await writer.write(writer.statements.compile(tables, operations, at));
      if (failure !== undefined) throw errorOf(failure, tables);
      return { at };
    },
  };
}

/** Runs a read as a promise. An SQLite error during a read comes from the disk. */
async function withReadErrors<T>(read: () => T): Promise<T> {
  try {
    return await Promise.resolve(read());
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_SQLITE_ERROR")
      throw new Unavailable(`The store can't read: ${(error as Error).message}`);
    throw error;
  }
}

function errorOf(failure: CommitFailure, tables: Tables): Error {
  switch (failure.kind) {
    case "conflict":
      return new Conflict();
    case "unavailable":
      return new Unavailable();
    case "error":
      return new Error(`SQLite refused a commit: ${failure.detail}`);
    case "duplicate": {
      const broken = failure.constraint.split(", ").map((column) => column.split(".")) as [string, string][];
      const { collection } = [...tables.values()].find(({ name }) => name === broken[0]![0])!;
      const columns = broken.map(([, column]) => column).join();
      const index = Object.entries(collection.indexes).find(([, { fields, unique }]) => unique === true && fields.join() === columns);
      // An index that only another release declares is identified by its fields.
      return new Duplicate(collection.name, index?.[0] ?? columns);
    }
  }
}
