/** One service's collections in the mesh's store, behind the port's verbs. */
import type { mongo } from "mongoose";
import { rangeOf } from "../shapes.ts";
import type { Collection, Database, Doc, Operation, Page } from "../store.ts";
import type { Collections, Row, Rows } from "./collections.ts";
import { commit } from "./commit.ts";
import { keysOf, lock, matchingOne } from "./conditions.ts";
import { withStoreErrors } from "./failures.ts";
import { rowsOf } from "./operations.ts";

const longestMs = 5000;

export function openDatabase(client: mongo.MongoClient, collections: Collections): Database {
  const found = <T extends Doc>(from: Collection, filter: mongo.Filter<Row>) =>
    withStoreErrors(() =>
      rowsOf(collections, { in: from })
        .find<T>(filter, { projection: { [lock]: 0 }, maxTimeMS: longestMs })
        .toArray(),
    );
  return {
    get: async <T extends Doc>(from: Collection<T>, id: string) => (await found<T>(from, matchingOne(from, { _id: id })))[0],
    getMany: async (from, ids) => (ids.length === 0 ? [] : found(from, { _id: { $in: [...ids] } })),
    find: async (from, keys) => (keys.length === 0 ? [] : found(from, { $or: keys.map((key) => matchingOne(from, key)) })),
    page: <T extends Doc>(from: Collection<T>, page: Page<T>) =>
      withStoreErrors(async () => {
        const cursor = pageOf(rowsOf(collections, { in: from }), from, page);
        return cursor === undefined ? [] : await cursor.project<T>({ [lock]: 0 }).toArray();
      }),
    count: (from, page) =>
      withStoreErrors(async () => {
        // Answered from the index alone; MongoDB's own count knows no bounds of several fields.
        const cursor = pageOf(rowsOf(collections, { in: from }), from, page);
        const first = rangeOf(from, page).fields[0]!;
        const keys = await cursor?.project({ _id: 0, [first]: 1 }).toArray();
        return keys?.length ?? 0;
      }),
    commit: async (operations: readonly Operation[]) => ({ at: await commit(client, collections, operations) }),
  };
}

/** @returns undefined when no row can be in it: MongoDB takes a limit of 0 for none */
export function pageOf(rows: Rows, c: Collection, page: Page<object>): mongo.FindCursor<mongo.WithId<Row>> | undefined {
  const range = rangeOf(c, page);
  const keys = keysOf(range);
  if (range.limit === 0 || keys === undefined) return undefined;
  const direction = range.order === "asc" ? 1 : -1;
  const sort = Object.fromEntries(range.fields.map((field) => [field, direction] as const));
  const options = { ...keys, hint: page.index, sort, limit: range.limit, maxTimeMS: longestMs };
  return rows.find({}, options as mongo.FindOptions<Row>);
}
