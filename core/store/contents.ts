/**
 * A store's contents as a whole, across services: what backups read and restores write over. Beside the store port, which gives each
 * service its own database and every read an index. Adapters: `sqlite/contents.ts`, `mongo/contents.ts`.
 */
import type { Collection, Database, Doc } from "./store.ts";

/** What a service keeps, as it declares it. */
export interface DeclaredDatabase {
  readonly service: string;
  readonly collections: readonly Collection[];
}

/** Some rows, each as the JSON text of its document. */
export type JsonRows = readonly string[];

/** One state of all databases. */
export interface StoreSnapshot {
  /** All rows of a collection, a page at a time, in no promised order; none where it does not exist. */
  rows(service: string, collection: Collection): AsyncIterable<JsonRows>;
  /** May be called again. */
  close(): Promise<void>;
}

export interface StoreContents {
  readonly kind: "sqlite" | "mongodb";
  /**
   * Begins to read the state as it is now. It may be read for a limited time only, which `say` is told where it could matter.
   * @throws CommandError  from its rows too, when the state is not kept any longer
   */
  snapshot(say: (line: string) => void): Promise<StoreSnapshot>;
  /** The first of these collections that has rows, as `service.collection`; undefined when there are none. */
  firstFilled(databases: readonly DeclaredDatabase[]): Promise<string | undefined>;
  /** Removes all rows of these collections. Nobody else may use them meanwhile. */
  erase(databases: readonly DeclaredDatabase[]): Promise<void>;
  close(): Promise<void>;
}

/** A service's part in a restore and in `npm run new-era`. Each step can be repeated, also on a store that is in use. */
export interface RestoreHooks {
  readonly verify?: () => RowVerifier;
  /** Writes the state that other services follow to the outbox: what was on its way when the backup began is in no backup. */
  readonly announceState?: (db: Database) => Promise<void>;
  /** Makes positions of before recognisable. @param now  store time, epoch milliseconds */
  readonly beginEra?: (db: Database, now: number) => Promise<void>;
}

/** Checks all rows of one service in a backup before any is written. */
export interface RowVerifier {
  check(collection: string, row: Doc): void;
  /** After all rows: what is wrong with them. */
  problem(): string | undefined;
}
