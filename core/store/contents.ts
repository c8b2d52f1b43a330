/**
 * A store's contents as a whole, across services: what backups read and restores write over. Beside the store port, which gives each
 * service its own database and every read an index. Adapters: `sqlite/contents.ts`, `mongo/contents.ts`.
 */
import type { Collection } from "./store.ts";

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
