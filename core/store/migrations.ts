/**
 * Defines schema versions and migrations. Each service's database has one row with the version of its data, the progress of the migration
 * to the next version, and the oldest program that may still run on the data. A program's own version is that of its last migration, or 1
 * without migrations.
 */
import { StartError } from "../errors.ts";
import { collection, insert, type Database, Duplicate, type Doc, type Operation } from "./store.ts";

/** Where a migration continues: the last page returned it, and the next page passes it as `after` when it reads rows. */
export type MigrationCursor = readonly (string | number)[];

/** Arguments of one bounded step of a migration. */
export interface MigrationPage {
  /** Read-only: a page returns its writes as operations. */
  readonly db: Omit<Database, "commit">;
  /** Undefined for the first page. */
  readonly cursor: MigrationCursor | undefined;
  /** Maximum number of rows to change; lower after conflicts. */
  readonly limit: number;
}
export interface MigrationBatch {
  /** Each operation expects the values it was computed from, because old nodes write at the same time. */
  readonly operations: readonly Operation[];
  /** Undefined after the last page. */
  readonly next?: MigrationCursor | undefined;
}

/** Migrates a service's data from one version to the next: a plain function, forward only, called page by page. */
export interface Migration {
  readonly to: number;
  /** For the log, e.g. "every chat gets its resetSeq". */
  readonly description: string;
  /** The oldest program version that may run once this migration has begun; undefined leaves it unchanged. */
  readonly oldest?: number;
  readonly page: (page: MigrationPage) => Promise<MigrationBatch>;
}

/** A migration that only adds data. Programs of the previous version keep running and may restart. */
export const expand = (to: number, description: string, page: Migration["page"]): Migration => ({ to, description, page });

/**
 * A migration that removes data which programs older than `oldest` need: they are refused from its start on. Set `oldest` to one below `to`
 * to let the nodes of the previous release run during the upgrade.
 */
export const contract = (to: number, oldest: number, description: string, page: Migration["page"]): Migration => ({
  to,
  description,
  oldest,
  page,
});

/** @throws Error  versions have a gap, or `oldest` is above `to` */
export function checkMigrations(migrations: readonly Migration[]): void {
  for (const [index, { to, oldest = 1 }] of migrations.entries()) {
    const follows = index === 0 ? to >= 2 : to === migrations[index - 1]!.to + 1;
    if (!follows || oldest > to) throw new Error(`migrations must lead from one version to the next; the one to ${to} does not`);
  }
}

/** The schema version of a program that has these migrations. */
export const versionOf = (migrations: readonly Migration[]): number => migrations.at(-1)?.to ?? 1;

export interface SchemaRow extends Doc {
  /** Version that the data has reached; all migrations up to it are complete. */
  readonly version: number;
  /** The oldest program version that may run on this data. */
  readonly oldest: number;
  /** Number of commits that changed this row. Each commit expects the value it read. */
  readonly rev: number;
  /** Cursor of the migration to the next version as JSON; null before it began. */
  readonly cursor: string | null;
  /** Number of operations that the migration to the next version has committed so far. */
  readonly done: number;
}

/** Stored in every service's database beside its own collections. */
export const schemas = collection<SchemaRow>()("schema", {});
export const schemaId = "schema";

/** Schema of an empty database, and of data older than schema versions. */
const initialSchema: SchemaRow = { _id: schemaId, version: 1, oldest: 1, rev: 0, cursor: null, done: 0 };

/** Reads the schema of a service's data. @param db  opened with the collection `schemas` */
export const schemaOf = async (db: Database): Promise<SchemaRow> => (await db.get(schemas, schemaId)) ?? initialSchema;

/** Like `schemaOf`, but stores the row if it is missing, so that it can be updated. */
export async function ensureStoredSchema(db: Database): Promise<SchemaRow> {
  const stored = await db.get(schemas, schemaId);
  if (stored !== undefined) return stored;
  try {
    await db.commit([insert(schemas, initialSchema)]);
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
  }
  return schemaOf(db);
}

/** @throws StartError  a program with these migrations must not run on this data, or can't migrate it to its own version */
export function assertSchemaSupported(service: string, { version, oldest }: SchemaRow, migrations: readonly Migration[]): void {
  const own = versionOf(migrations);
  if (own < oldest) {
    throw new StartError(
      `the data of ${service} needs a release with schema ${oldest} or newer (it has ${version}, this release ${own}): use a newer release`,
    );
  }
  const begins = (migrations[0]?.to ?? 2) - 1;
  if (version < begins) {
    throw new StartError(
      `the data of ${service} has schema ${version}, and this release migrates from ${begins} on: upgrade to a release between them first`,
    );
  }
}
