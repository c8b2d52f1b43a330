/**
 * What services declare of their stores, read from their schemas without starting them: every collection, and what has to be done
 * with a service's rows around a restore. A collection that a service opens is in the backups, and can't be forgotten.
 */
import type { DeclaredDatabase, RestoreHooks } from "../store/contents.ts";
import { schemas, versionOf, type Migration } from "../store/migrations.ts";

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
