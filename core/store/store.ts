/**
 * Defines the store port: a service's access to its database. There are several ways to read and one to write, the commit: a list of
 * operations as plain data that succeeds or fails as a whole. Adapters: `sqlite/` (embedded), `mongo/` (mesh); one test suite runs against
 * each. Where a commit of several operations crosses a network, it reaches the fault point `store.commit` before it is completed.
 */
import type { Health } from "../health.ts";

/**
 * A stored document: plain JSON with a 24-digit hexadecimal id. Texts have any characters, U+0000 too. Indexes and conditions don't
 * distinguish an absent field from null.
 */
export interface Doc {
  readonly _id: string;
}

export interface Index<T> {
  readonly fields: readonly (keyof T & string)[];
  /** A unique index leaves out rows in which one of its fields is absent or null. */
  readonly unique?: boolean;
}

/**
 * A collection as its service declares it for every adapter. Index names are unique within the collection: `byEmail`, `byChatAndSeq`. Every
 * collection is also a plain `Collection` with an unknown row type.
 */
export interface Collection<T extends Doc = never, I extends string = string> {
  readonly name: string;
  readonly indexes: { readonly [K in I]: Index<T> };
  /** Keys of the blobs that belong to a row. A backup of the row includes them. */
  readonly blobs?: (row: T) => readonly string[];
}

/** Declares a collection: `const chats = collection<ChatRow>()("chats", { byActivity: { fields: ["lastActivityAt"] } })`. */
export const collection =
  <T extends Doc>() =>
  <const I extends { readonly [name: string]: Index<T> }>(
    name: string,
    indexes: I,
    more: Pick<Collection<T>, "blobs"> = {},
  ): Collection<T, keyof I & string> => ({ name, indexes, ...more });

/** Field values that a row must have. Null also matches an absent field. */
export type Where<T> = { readonly [K in keyof T]?: T[K] | null };

/** A placeholder for the commit's time, which the store fills in (epoch milliseconds). All operations of a commit get the same time. */
export const storeTime: unique symbol = Symbol("storeTime");
export type StoreTime = typeof storeTime;
/** Fields to write. Null stores null; undefined leaves the field out. */
export type Fields<T> = { readonly [K in keyof T]?: T[K] | null | StoreTime | undefined };

/** Requires every field of `T`, also the optional ones, so that a row built field by field does not compile when a field is missing. */
export type Complete<T> = { readonly [K in keyof Required<T>]: T[K] };

/** Field values of a row of unknown type. */
type Values = Readonly<Record<string, unknown>>;

/** One operation of a commit. Create it with `insert`, `update` and the other functions below. */
export type Operation =
  | { readonly op: "insert"; readonly in: Collection; readonly doc: Doc }
  | { readonly op: "update"; readonly in: Collection; readonly where: Values; readonly set: Values }
  | { readonly op: "updateAll"; readonly in: Collection; readonly where: Values; readonly set: Values }
  | { readonly op: "upsert"; readonly in: Collection; readonly key: Values; readonly set: Values; readonly insert: Values }
  | { readonly op: "remove"; readonly in: Collection; readonly where: Values }
  | { readonly op: "expect"; readonly in: Collection; readonly where: Values };

/** Adds a document. The commit fails with `Duplicate` if the id or the key of a unique index is taken. */
export const insert = <T extends Doc>(c: Collection<T>, doc: { readonly [K in keyof T]: T[K] | StoreTime }): Operation => ({
  op: "insert",
  in: c,
  doc: doc as Doc,
});
/**
 * Changes the one row with these values; `where` names `_id` or a complete unique index. The commit fails with `Conflict` if there is no
 * such row.
 */
export const update = <T extends Doc>(c: Collection<T>, where: Where<T>, set: Fields<T>): Operation => ({
  op: "update",
  in: c,
  where,
  set,
});
/** Changes every row with these values, possibly none; `where` is a prefix of an index. */
export const updateAll = <T extends Doc>(c: Collection<T>, where: Where<T>, set: Fields<T>): Operation => ({
  op: "updateAll",
  in: c,
  where,
  set,
});
/** Changes the row with this unique key, or adds the row `{...key, ...set, ...insert}`. `key` is `_id` or a complete unique index. */
export const upsert = <T extends Doc>(c: Collection<T>, key: Where<T>, set: Fields<T>, insert: Fields<T>): Operation => ({
  op: "upsert",
  in: c,
  key,
  set,
  insert,
});
/**
 * Removes every row with these values, possibly none. A store may limit a commit's time (MongoDB to 3 s), so remove page by page where the
 * number of rows has no limit.
 */
export const remove = <T extends Doc>(c: Collection<T>, where: Where<T>): Operation => ({ op: "remove", in: c, where });
/**
 * Requires that the row with this `_id` or unique key has these values until the commit completes. Otherwise the commit fails with
 * `Conflict`.
 */
export const expect = <T extends Doc>(c: Collection<T>, where: Where<T>): Operation => ({ op: "expect", in: c, where });

/**
 * A page of rows in the order of an index, read from the index: the store examines only the rows it returns. `where` gives values for the
 * index's first fields. `after` and `before` are exclusive bounds with values for the fields after those (fewer values are a prefix), so
 * that the last row's own fields serve as the cursor. Null sorts before numbers, and numbers before texts, which are in the order of their
 * bytes in UTF-8. Null is not below a bound.
 */
export interface PageQuery<T, I extends string = string> {
  readonly index: I;
  readonly where?: Where<T>;
  readonly after?: readonly (string | number)[];
  readonly before?: readonly (string | number)[];
  /** Default `asc`. */
  readonly order?: "asc" | "desc";
  readonly limit: number;
}

/**
 * One service's database. A read sees every commit that was acknowledged, or that caused another commit to fail, before the read began, on
 * any node.
 */
export interface Database {
  get<T extends Doc>(from: Collection<T>, id: string): Promise<T | undefined>;
  /** Returns rows by id, in no particular order. Missing rows are left out. */
  getMany<T extends Doc>(from: Collection<T>, ids: readonly string[]): Promise<T[]>;
  /** Returns rows by complete unique keys, in one query. Missing rows are left out. */
  find<T extends Doc>(from: Collection<T>, keys: readonly Where<T>[]): Promise<T[]>;
  page<T extends Doc, I extends string>(from: Collection<T, I>, page: PageQuery<T, I>): Promise<T[]>;
  /** Counts the rows of a page from the index, up to `limit`. */
  count<T extends Doc, I extends string>(from: Collection<T, I>, page: PageQuery<T, I>): Promise<number>;
  /**
   * Runs all operations durably, or none.
   * @returns the commit's time by the store's clock
   * @throws Conflict     an `update` or `expect` matched no row
   * @throws Duplicate    a row violates a unique index
   * @throws Unavailable  the store can't be reached; where possible, the outcome was determined first
   */
  commit(operations: readonly Operation[]): Promise<{ readonly at: number }>;
}

export interface Store {
  /**
   * Opens a service's database and creates missing collections and indexes. Collections that the service does not declare stay.
   * @throws StartError   an index differs from the index of that name in the store, exists under another name, or can't be created on
   *                      the existing rows
   * @throws Unavailable  the store can't be reached
   */
  open(service: string, collections: readonly Collection[]): Promise<Database>;
  /** The store's clock, epoch milliseconds. */
  time(): Promise<number>;
  /** Whether the store responds now, and if not, why. */
  health(): Promise<Health>;
  close(): Promise<void>;
}

/** A row violates a unique index. */
export class Duplicate extends Error {
  readonly collection: string;
  /** Declared name of the index, or `_id`. */
  readonly index: string;
  constructor(collection: string, index: string) {
    super(`duplicate in ${collection}.${index}`);
    this.name = "Duplicate";
    this.collection = collection;
    this.index = index;
  }
}
