/** Implements the port's `Database` on one service's collections. */
import type { mongo } from "mongoose";
import { indexRangeOf } from "../query-checks.ts";
import type { Collection, Database, Doc, Operation, PageQuery } from "../store.ts";
import type { MongoCollections, MongoRow, MongoRows } from "./collections.ts";
import { commit } from "./commit.ts";
import { indexBoundsOf, lockField, uniqueFilter } from "./conditions.ts";
import { withStoreErrors } from "./failures.ts";
import { rowsOf } from "./operations.ts";

const maxTimeMs = 5000;

export function openDatabase(client: mongo.MongoClient, collections: MongoCollections): Database {
  const found = <T extends Doc>(from: Collection, filter: mongo.Filter<MongoRow>) =>
    withStoreErrors(() =>
      rowsOf(collections, { in: from })
        .find<T>(filter, { projection: { [lockField]: 0 }, maxTimeMS: maxTimeMs })
        .toArray(),
    );
  return {
    get: async <T extends Doc>(from: Collection<T>, id: string) => (await found<T>(from, uniqueFilter(from, { _id: id })))[0],
    getMany: async (from, ids) => (ids.length === 0 ? [] : found(from, { _id: { $in: [...ids] } })),
    find: async (from, keys) => (keys.length === 0 ? [] : found(from, { $or: keys.map((key) => uniqueFilter(from, key)) })),
    page: <T extends Doc>(from: Collection<T>, page: PageQuery<T>) =>
      withStoreErrors(async () => {
        const cursor = pageOf(rowsOf(collections, { in: from }), from, page);
        return cursor === undefined ? [] : await cursor.project<T>({ [lockField]: 0 }).toArray();
      }),
    count: (from, page) =>
      withStoreErrors(async () => {
        // Reads only the index. MongoDB's own count does not support bounds with several fields.
        const cursor = pageOf(rowsOf(collections, { in: from }), from, page);
        const first = indexRangeOf(from, page).fields[0]!;
        const keys = await cursor?.project({ _id: 0, [first]: 1 }).toArray();
        return keys?.length ?? 0;
      }),
    commit: async (operations: readonly Operation[]) => ({ at: await commit(client, collections, operations) }),
  };
}

/** @returns undefined when the page is empty by definition: MongoDB treats a limit of 0 as no limit */
export function pageOf(rows: MongoRows, c: Collection, page: PageQuery<object>): mongo.FindCursor<mongo.WithId<MongoRow>> | undefined {
  const range = indexRangeOf(c, page);
  const keys = indexBoundsOf(range);
  if (range.limit === 0 || keys === undefined) return undefined;
  const direction = range.order === "asc" ? 1 : -1;
  const sort = Object.fromEntries(range.fields.map((field) => [field, direction] as const));
  const options = { ...keys, hint: page.index, sort, limit: range.limit, maxTimeMS: maxTimeMs };
  return rows.find({}, options as mongo.FindOptions<MongoRow>);
}
