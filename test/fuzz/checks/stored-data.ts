/**
 * What an embedded server's store holds, read beside it: whether anything was committed, and which rows differ. What changes by itself
 * is left out: events on their way, who has been delivered what, and uploads that were given up.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { eventually } from "../../support/eventually.ts";

/** Rows by table and id. */
export type StoredTables = ReadonlyMap<string, ReadonlyMap<string, string>>;

const onTheirWay = /_outbox$|^queue_rows$/;
/** What a row is compared by; undefined if not at all. */
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
    this.tables = this.database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map(({ name }) => String(name));
  }

  /** Another number when anything was committed since. */
  version(): number {
    return Number(this.database.prepare("PRAGMA data_version").get()!["data_version"]);
  }

  /** Resolves when no event is on its way any more. */
  async settled(): Promise<void> {
    const waiting = this.tables.filter((table) => onTheirWay.test(table));
    const isEmpty = (table: string) => this.database.prepare(`SELECT 1 FROM "${table}" LIMIT 1`).get() === undefined;
    await eventually("every event has arrived", () => waiting.every(isEmpty));
  }

  state(): StoredTables {
    const tables = this.tables.filter((table) => !onTheirWay.test(table));
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

/** Uploads that came to nothing are let go a moment later. */
const mayGo = new Set(["blobs", "media_files"]);

/** The rows that differ, each in a line. */
export function differences(before: StoredTables, after: StoredTables): string[] {
  return [...after].flatMap(([table, rows]) => {
    const old = before.get(table) ?? new Map<string, string>();
    const ids = mayGo.has(table) ? [...rows.keys()] : [...new Set([...old.keys(), ...rows.keys()])];
    const changed = ids.filter((id) => old.get(id) !== rows.get(id));
    return changed.map((id) => `${table} ${id}: ${old.get(id) ?? "nothing"} became ${rows.get(id) ?? "nothing"}`);
  });
}
