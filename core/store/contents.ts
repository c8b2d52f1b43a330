/**
 * Defines access to the whole contents of a store, for backups and restores. The store port (`store.ts`) gives each service only its own
 * database, with an index for every read. Adapters: `sqlite/contents.ts`, `mongo/contents.ts`.
 */
import type { Collection, Database, Doc } from "./store.ts";

/** A service and the collections it declares. */
export interface DeclaredDatabase {
  readonly service: string;
  readonly collections: readonly Collection[];
}

/** Some rows, each as JSON text. */
export type JsonRows = readonly string[];

/** All databases at one point in time. */
export interface StoreSnapshot {
  /** All rows of a collection, page by page, in no particular order; none if the collection does not exist. */
  rows(service: string, collection: Collection): AsyncIterable<JsonRows>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** The database behind a store, as backups name it. */
export type StoreKind = "sqlite" | "mongodb";

export interface StoreContents {
  readonly kind: StoreKind;
  /**
   * Starts a snapshot of the present state. The store may keep that state for a limited time only; `say` gets a line when that could be too
   * short.
   * @throws CommandError  also from `rows`, when the store no longer keeps the state
   */
  snapshot(say: (line: string) => void): Promise<StoreSnapshot>;
  /** Returns the first of these collections that has rows, as `service.collection`; undefined if all are empty. */
  firstFilled(databases: readonly DeclaredDatabase[]): Promise<string | undefined>;
  /** Removes all rows of these collections. Nothing else may use them meanwhile. */
  erase(databases: readonly DeclaredDatabase[]): Promise<void>;
  close(): Promise<void>;
}

/** A service's hooks for a restore and for `npm run new-era`. Each may be repeated, and may run on a store in use. */
export interface RestoreHooks {
  readonly verify?: () => RowVerifier;
  /** Writes the state that other services follow to the outbox. Events in flight when the backup began are in no backup. */
  readonly announceState?: (db: Database) => Promise<void>;
  /** Makes positions from before the new era recognisable. @param now  store time, epoch milliseconds */
  readonly beginEra?: (db: Database, now: number) => Promise<void>;
}

/** Checks all rows of one service in a backup before any is written. */
export interface RowVerifier {
  check(collection: string, row: Doc): void;
  /** Called after all rows. @returns what is wrong with them, if anything */
  problem(): string | undefined;
}
