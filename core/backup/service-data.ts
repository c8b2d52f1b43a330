/**
 * What services declare of their stores, read from their schemas without starting them: every collection, and what has to be done
 * with a service's rows around a restore. A collection that a service opens is in the backups, and can't be forgotten.
 */
import type { DeclaredDatabase } from "../store/contents.ts";
import { schemas, versionOf, type Migration } from "../store/migrations.ts";
import type { Database, Doc } from "../store/store.ts";

/** Looks at all rows of one service in a backup, before any is written. */
export interface RowVerifier {
  check(collection: string, row: Doc): void;
  /** After all rows: what is wrong with them. */
  problem(): string | undefined;
}

/** A service's part in a restore, and in `npm run new-era`. Each step may be done again, and on a store that is in use. */
export interface RestoreHooks {
  readonly verify?: () => RowVerifier;
  /** Writes the state that other services follow to the outbox: what was on its way when the backup began is in no backup. */
  readonly announceState?: (db: Database) => Promise<void>;
  /** Makes positions of before recognisable. @param now  store time, epoch milliseconds */
  readonly beginEra?: (db: Database, now: number) => Promise<void>;
}

export interface ServiceData extends DeclaredDatabase {
  /** The schema version of this release. */
  readonly schema: number;
  /** All that lead there. */
  readonly migrations: readonly Migration[];
  readonly restoring: RestoreHooks | undefined;
}

/** The parts of a service's schema, and of its mixins, that count here. */
interface SchemaPart {
  readonly declaredDatabase?: DeclaredDatabase & { readonly migrations: readonly Migration[] };
  readonly restoring?: RestoreHooks;
  readonly mixins?: readonly SchemaPart[];
}

/** @returns undefined  the service keeps nothing */
export function serviceDataOf(schema: object): ServiceData | undefined {
  const parts = schemaPartsOf(schema);
  const database = parts.find((part) => part.declaredDatabase !== undefined)?.declaredDatabase;
  const restoring = parts.find((part) => part.restoring !== undefined)?.restoring;
  if (database === undefined) return undefined;
  const { service, collections, migrations } = database;
  // With the row that says how far its migrations are: a node that starts on restored data goes on from there.
  return { service, collections: [...collections, schemas], schema: versionOf(migrations), migrations, restoring };
}

const schemaPartsOf = (part: SchemaPart): SchemaPart[] => [part, ...(part.mixins ?? []).flatMap(schemaPartsOf)];
