/**
 * Schema versions. Each service's database keeps one row that says which version its data has, how far a migration to the next one
 * is, and the oldest program that may still run on it. A program's own version is that of its last migration, and 1 without any.
 */
import { StartError } from "../errors.ts";
import { collection, insert, type Database, Duplicate, type Doc, type Operation } from "./store.ts";

/** Where a migration goes on: what its last page returned, as `after` of the next `page` of rows. */
export type MigrationCursor = readonly (string | number)[];

/** One bounded piece of a migration's work. */
export interface MigrationPage {
  /** For reading: what is written is returned. */
  readonly db: Omit<Database, "commit">;
  /** Undefined in the beginning. */
  readonly cursor: MigrationCursor | undefined;
  /** Rows to change at most; fewer after conflicts. */
  readonly limit: number;
}
export interface MigrationBatch {
  /** Each expects the values that it was computed from: old nodes write at the same time. */
  readonly operations: readonly Operation[];
  /** Undefined when this page is the last. */
  readonly next?: MigrationCursor | undefined;
}

/** Leads a service's data from one version to the next: a plain function, forward only, called page by page. */
export interface Migration {
  readonly to: number;
  /** For the log: "every chat gets its resetSeq". */
  readonly description: string;
  /** The oldest program that may run from its beginning on; undefined: all that could before. */
  readonly oldest?: number;
  readonly page: (page: MigrationPage) => Promise<MigrationBatch>;
}

/** Adds to what is stored. Programs of the version before run on, and may be started again. */
export const expand = (to: number, description: string, page: Migration["page"]): Migration => ({ to, description, page });

/**
 * Takes away what programs older than `oldest` need: they are refused from then on. With `oldest` one below `to` the nodes of the
 * release before run on during the upgrade.
 */
export const contract = (to: number, oldest: number, description: string, page: Migration["page"]): Migration => ({
  to,
  description,
  oldest,
  page,
});

/** @throws Error  a gap, or an `oldest` above `to` */
export function checkMigrations(migrations: readonly Migration[]): void {
  for (const [place, { to, oldest = 1 }] of migrations.entries()) {
    const follows = place === 0 ? to >= 2 : to === migrations[place - 1]!.to + 1;
    if (!follows || oldest > to) throw new Error(`migrations lead from one version to the next; that to ${to} does not`);
  }
}

/** The schema version of a program that has these migrations. */
export const versionOf = (migrations: readonly Migration[]): number => migrations.at(-1)?.to ?? 1;

export interface SchemaRow extends Doc {
  /** Reached, all its migrations whole. */
  readonly version: number;
  /** The oldest program that may run on this data. */
  readonly oldest: number;
  /** Counts the commits that changed this row: each expects it as it was read. */
  readonly rev: number;
  /** JSON: where the migration to the next version goes on; null before it began. */
  readonly cursor: string | null;
  /** Operations of the migration to the next version so far. */
  readonly done: number;
}

/** A service's database holds it beside the service's own collections. */
export const schemas = collection<SchemaRow>()("schema", {});
export const schemaId = "schema";

/** Data of before there were versions, or none at all. */
const initialSchema: SchemaRow = { _id: schemaId, version: 1, oldest: 1, rev: 0, cursor: null, done: 0 };

/** The schema of a service's data. @param db  opened with the collection `schemas` */
export const schemaOf = async (db: Database): Promise<SchemaRow> => (await db.get(schemas, schemaId)) ?? initialSchema;

/** As `schemaOf`, for one who will change it: stored where it was not yet. */
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

/** @throws StartError  a program with these migrations must not run on this data, or can't lead it to its own version */
export function assertSchemaSupported(service: string, { version, oldest }: SchemaRow, migrations: readonly Migration[]): void {
  const own = versionOf(migrations);
  if (own < oldest) {
    throw new StartError(
      `the data of ${service} needs a release with schema ${oldest} or newer (it has ${version}, this release ${own}): use that release`,
    );
  }
  const begins = (migrations[0]?.to ?? 2) - 1;
  if (version < begins) {
    throw new StartError(
      `the data of ${service} has schema ${version}, and this release begins with ${begins}: upgrade to a release between them first`,
    );
  }
}
