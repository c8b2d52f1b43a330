/**
 * The store port: what a service may ask of its database. A dozen ways to read and one to write: a commit, plain data that
 * happens as a whole or not at all. Adapters: `sqlite/` (embedded), `mongo/` (mesh); one test suite holds both to this page.
 */

/** A stored document: plain JSON with a 24-hex id. Absent and null are the same to indexes and conditions. */
export interface Doc {
  readonly _id: string;
}

export interface Index<T> {
  readonly fields: readonly (keyof T & string)[];
  /** Rows that lack one of the fields (absent or null) are outside a unique index. */
  readonly unique?: boolean;
}

/**
 * A collection as its service declares it, once, for both adapters. Index names are its own business: `byEmail`, `byChatAndSeq`.
 * Every collection is also a plain `Collection`, whose rows are not known.
 */
export interface Collection<T extends Doc = never, I extends string = string> {
  readonly name: string;
  readonly indexes: { readonly [K in I]: Index<T> };
  /** Keys of the blobs that a row stands for: a backup of the row holds them too. */
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

/** Field values that a row must have, by equality; null also matches an absent field. */
export type Where<T> = { readonly [K in keyof T]?: T[K] | null };

/** In a commit: the store fills in its own time, epoch milliseconds. One commit has one time. */
export const storeTime: unique symbol = Symbol("storeTime");
export type StoreTime = typeof storeTime;
/** A document's fields to write; null keeps the field with null, undefined leaves it out. */
export type Fields<T> = { readonly [K in keyof T]?: T[K] | null | StoreTime | undefined };

/** Every field of `T` by name, the optional ones too. A row that is built field by field lacks none of them, or does not compile. */
export type Complete<T> = { readonly [K in keyof Required<T>]: T[K] };

/** Fields by name, of rows that are not known. */
type Values = Readonly<Record<string, unknown>>;

/** One operation of a commit. Make them with `insert`, `update`, ... below. */
export type Operation =
  | { readonly op: "insert"; readonly in: Collection; readonly doc: Doc }
  | { readonly op: "update"; readonly in: Collection; readonly where: Values; readonly set: Values }
  | { readonly op: "updateAll"; readonly in: Collection; readonly where: Values; readonly set: Values }
  | { readonly op: "upsert"; readonly in: Collection; readonly key: Values; readonly set: Values; readonly insert: Values }
  | { readonly op: "remove"; readonly in: Collection; readonly where: Values }
  | { readonly op: "expect"; readonly in: Collection; readonly where: Values };

/** Adds a document. Throws `Duplicate` where a unique index, or the id, is taken. */
export const insert = <T extends Doc>(c: Collection<T>, doc: { readonly [K in keyof T]: T[K] | StoreTime }): Operation => ({
  op: "insert",
  in: c,
  doc: doc as Doc,
});
/** Changes the one row that has these values; `where` names `_id` or a whole unique index. No such row: `Conflict`. */
export const update = <T extends Doc>(c: Collection<T>, where: Where<T>, set: Fields<T>): Operation => ({
  op: "update",
  in: c,
  where,
  set,
});
/** Changes every row with these values, also none; `where` is a prefix of an index. */
export const updateAll = <T extends Doc>(c: Collection<T>, where: Where<T>, set: Fields<T>): Operation => ({
  op: "updateAll",
  in: c,
  where,
  set,
});
/** Changes the row with this unique key, or adds one: `{...key, ...set, ...insert}`. `key` is `_id` or a whole unique index. */
export const upsert = <T extends Doc>(c: Collection<T>, key: Where<T>, set: Fields<T>, insert: Fields<T>): Operation => ({
  op: "upsert",
  in: c,
  key,
  set,
  insert,
});
/** Removes every row with these values, also none. */
export const remove = <T extends Doc>(c: Collection<T>, where: Where<T>): Operation => ({ op: "remove", in: c, where });
/** The row with this `_id` or unique key still has these values, until this commit is through; else `Conflict`. */
export const expect = <T extends Doc>(c: Collection<T>, where: Where<T>): Operation => ({ op: "expect", in: c, where });

/**
 * A page of rows in the order of an index, read from the index: rows examined are rows returned.
 * `where` gives values for the index's first fields; `after` and `before` are exclusive bounds, values for the fields that follow
 * (fewer are a prefix), so that a cursor is the last row's own fields.
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

/** One service's database. Reads see every commit that was answered, or made another be refused, before they began, on whatever node. */
export interface Database {
  get<T extends Doc>(from: Collection<T>, id: string): Promise<T | undefined>;
  /** Rows by id, in no particular order; those that don't exist are left out. */
  getMany<T extends Doc>(from: Collection<T>, ids: readonly string[]): Promise<T[]>;
  /** Rows by whole unique keys, one query for all; those that don't exist are left out. */
  find<T extends Doc>(from: Collection<T>, keys: readonly Where<T>[]): Promise<T[]>;
  page<T extends Doc, I extends string>(from: Collection<T, I>, page: PageQuery<T, I>): Promise<T[]>;
  /** How many rows a page would have, counted by the index and never beyond `limit`. */
  count<T extends Doc, I extends string>(from: Collection<T, I>, page: PageQuery<T, I>): Promise<number>;
  /**
   * Makes all operations happen, durably, or none.
   * @returns the commit's time by the store's clock
   * @throws Conflict     an `update` or `expect` met no row
   * @throws Duplicate    a unique index refused a row
   * @throws Unavailable  the store can't be reached; the outcome was made certain first where that was possible
   */
  commit(operations: readonly Operation[]): Promise<{ readonly at: number }>;
}

export interface Store {
  /**
   * The database of one service, its collections and indexes made where they are missing; those it does not know stay.
   * @throws StartError   an index is another one than that of its name in the store, or can't be made over the rows that are there
   * @throws Unavailable  the store can't be reached
   */
  open(service: string, collections: readonly Collection[]): Promise<Database>;
  /** The store's time, epoch milliseconds. */
  time(): Promise<number>;
  /** Whether the store answers now; says why not. */
  health(): Promise<{ ok: boolean; detail?: string }>;
  close(): Promise<void>;
}

/** A unique index refused a row. */
export class Duplicate extends Error {
  readonly collection: string;
  /** The index's name as declared, or `_id`. */
  readonly index: string;
  constructor(collection: string, index: string) {
    super(`duplicate in ${collection}.${index}`);
    this.name = "Duplicate";
    this.collection = collection;
    this.index = index;
  }
}
