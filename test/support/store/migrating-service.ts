/** A service in four releases, whose migrations insert a mark for each row that they change, so that a repeated change shows. */
import { newId } from "../../../core/ids.ts";
import { openMigrated } from "../../../core/store/migrate.ts";
import { contract, expand, schemaOf, type Migration, type MigrationPage, type MigrationBatch } from "../../../core/store/migrations.ts";
import { collection, insert, remove, update, type Collection, type Database, type Doc, type Store } from "../../../core/store/store.ts";
import { silentLogger } from "./stores.ts";

export interface MigratingThingRow extends Doc {
  readonly name: string;
  /** From schema 2 on: the name in upper case. */
  readonly label?: string;
  /** Rows with this flag are removed by schema 4. */
  readonly isOld?: boolean;
}
export interface MigrationMarkRow extends Doc {
  readonly name: string;
  readonly to: number;
}
export const things = collection<MigratingThingRow>()("things", { byName: { fields: ["name"], unique: true } });
export const marks = collection<MigrationMarkRow>()("marks", { byName: { fields: ["name", "to", "_id"] } });
export const kept: readonly Collection[] = [things, marks];

/** @param onPage  called between reading and committing a page, with the number of pages before it */
export function releases(onPage: (pages: number, page: MigrationPage) => unknown = () => undefined): readonly Migration[] {
  let pages = 0;
  const paged =
    (to: number, change: (row: MigratingThingRow) => readonly ReturnType<typeof insert>[]) =>
    async (page: MigrationPage): Promise<MigrationBatch> => {
      const rows = await page.db.page(things, { index: "byName", after: page.cursor ?? [], limit: Math.min(page.limit, 10) });
      await onPage(pages++, page);
      const mark = ({ name }: MigratingThingRow) => insert(marks, { _id: newId(), name, to });
      return { operations: rows.flatMap((row) => [...change(row), mark(row)]), next: rows.length === 0 ? undefined : [rows.at(-1)!.name] };
    };
  return [
    expand(
      2,
      "every thing gets a label",
      paged(2, ({ _id, name }) => [update(things, { _id, name }, { label: name.toUpperCase() })]),
    ),
    expand(
      3,
      "labels end with a dot",
      paged(3, ({ _id, label }) => [update(things, { _id, label: label! }, { label: `${label}.` })]),
    ),
    contract(
      4,
      3,
      "old things go",
      paged(4, ({ _id, isOld }) => (isOld === true ? [remove(things, { _id })] : [])),
    ),
  ];
}

/** Opens the data as the release with this schema does. */
export const openAs = (store: Store, schema: number, log = silentLogger, all = releases()): Promise<Database> =>
  openMigrated({ store, service: "thing", collections: kept, migrations: all.slice(0, schema - 1), log });

export async function addThings(db: Database, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, i): MigratingThingRow => ({
    _id: newId(),
    name: `thing ${1000 + i}`,
    isOld: i % 3 === 0,
  }));
  if (rows.length > 0) await db.commit(rows.map((row) => insert(things, row)));
}

/** Returns everything that is stored, without ids, and the schema. */
export async function contents(db: Database) {
  const { version, oldest, cursor } = await schemaOf(db);
  const rows = await db.page(things, { index: "byName", limit: 10_000 });
  const left = await db.page(marks, { index: "byName", limit: 10_000 });
  return {
    schema: { version, oldest, cursor },
    things: rows.map(({ name, label }) => `${name}: ${label}`),
    marks: left.map(({ name, to }) => `${name}: ${to}`),
  };
}

/** The contents expected in schema 4 when each migration has changed each of so many things once. */
export function migrated(count: number): Awaited<ReturnType<typeof contents>> {
  const names = Array.from({ length: count }, (_, i) => `thing ${1000 + i}`);
  return {
    schema: { version: 4, oldest: 3, cursor: null },
    things: names.filter((_, i) => i % 3 !== 0).map((name) => `${name}: ${name.toUpperCase()}.`),
    marks: names.flatMap((name) => [2, 3, 4].map((to) => `${name}: ${to}`)),
  };
}
