/**
 * Reads what services declare about their data from their schemas, without starting them: every collection, and the hooks for a restore.
 * Every collection that a service opens is therefore in the backups.
 */
import type { DeclaredDatabase, RestoreHooks } from "../store/contents.ts";
import { schemas, versionOf, type Migration } from "../store/migrations.ts";

export interface ServiceData extends DeclaredDatabase {
  /** Schema version of this release. */
  readonly schema: number;
  /** All migrations up to `schema`. */
  readonly migrations: readonly Migration[];
  readonly restoring: RestoreHooks | undefined;
}

/** The relevant properties of a service's schema and of its mixins. */
interface SchemaPart {
  readonly declaredDatabase?: DeclaredDatabase & { readonly migrations: readonly Migration[] };
  readonly restoring?: RestoreHooks;
  readonly mixins?: readonly SchemaPart[];
}

/** @returns undefined if the service stores nothing */
export function serviceDataOf(schema: object): ServiceData | undefined {
  const parts = schemaPartsOf(schema);
  const database = parts.find((part) => part.declaredDatabase !== undefined)?.declaredDatabase;
  const restoring = parts.find((part) => part.restoring !== undefined)?.restoring;
  if (database === undefined) return undefined;
  const { service, collections, migrations } = database;
  // Includes the schema row with the migrations' progress, so that a node on restored data continues from there.
  return { service, collections: [...collections, schemas], schema: versionOf(migrations), migrations, restoring };
}

const schemaPartsOf = (part: SchemaPart): SchemaPart[] => [part, ...(part.mixins ?? []).flatMap(schemaPartsOf)];
