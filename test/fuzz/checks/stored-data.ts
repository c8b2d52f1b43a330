/**
 * Reads the database of a running embedded server: whether anything was committed, and which rows differ. Leaves out what changes without
 * a call: events that are being published, watermarks of deliveries, and uploads that were given up.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { eventually } from "../../support/eventually.ts";
import { eventsOnTheirWay, isOfEvents, tablesOf } from "../../support/store/events-on-their-way.ts";

/** Rows by table and id. */
export type StoredTables = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** The part of a row that is compared; undefined if the row is left out. */
const compared: Readonly<Record<string, (doc: string) => string | undefined>> = {
  chat_members: (doc) => doc.replace(/"deliveredN":\d+/, ""),
  media_files: (doc) => (/"state":"dropped"/.test(doc) ? undefined : doc),
};

export class StoreInspector {
  private readonly database: DatabaseSync;
  private readonly blobs: string;
  private readonly tables: readonly string[];

  constructor(dataDir: string) {
    this.database = new DatabaseSync(join(dataDir, "parley.db"), { readOnly: true });
    this.blobs = join(dataDir, "blobs");
    this.tables = tablesOf(this.database);
  }

  /** A number that changes with every commit. */
  version(): number {
    return Number(this.database.prepare("PRAGMA data_version").get()!["data_version"]);
  }

  /** Resolves when every event has been published and handled. */
  async settled(): Promise<void> {
    await eventually("every event has been handled", () => eventsOnTheirWay(this.database) === 0);
  }

  state(): StoredTables {
    const tables = this.tables.filter((table) => !isOfEvents(table));
    const rowsOf = (table: string): ReadonlyMap<string, string> => {
      const value = compared[table] ?? String;
      return new Map(
        this.database
          .prepare(`SELECT _id, doc FROM "${table}"`)
          .all()
          .flatMap(({ _id, doc }) => {
            const one = value(String(doc));
            return one === undefined ? [] : [[String(_id), one] as const];
          }),
      );
    };
    const files = readdirSync(this.blobs, { recursive: true }).map((name): [string, string] => [String(name), ""]);
    return new Map([...tables.map((table) => [table, rowsOf(table)] as const), ["blobs", new Map(files)]]);
  }

  close(): void {
    this.database.close();
  }
}

/** Tables from which rows may disappear: refused uploads are removed a moment later. */
const mayShrink = new Set(["blobs", "media_files"]);

/** @returns one line for each row that differs */
export function differences(before: StoredTables, after: StoredTables): string[] {
  return [...after].flatMap(([table, rows]) => {
    const old = before.get(table) ?? new Map<string, string>();
    const ids = mayShrink.has(table) ? [...rows.keys()] : [...new Set([...old.keys(), ...rows.keys()])];
    const changed = ids.filter((id) => old.get(id) !== rows.get(id));
    return changed.map((id) => `${table} ${id}: ${old.get(id) ?? "nothing"} became ${rows.get(id) ?? "nothing"}`);
  });
}
