/**
 * Reads and erases the contents of the embedded store, also beside a running server, on its own connection to the file. One read
 * transaction sees one state, however long it takes, and blocks no writer.
 *
 * A copy of the file (`VACUUM INTO`) would need as much disk space again. The read transaction costs something else: SQLite can't empty the
 * write-ahead log before it ends, so the log grows by everything written meanwhile. `assertLogBounded` limits that.
 */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CommandError } from "../../errors.ts";
import type { StoreContents, DeclaredDatabase, JsonRows, StoreSnapshot } from "../contents.ts";
import type { Collection } from "../store.ts";
import { formatVersion } from "./data-folder.ts";
import { tableOf } from "./tables.ts";
import { dataFiles } from "../../config/data-files.ts";

const pageSize = 500;
/** A snapshot fails when the log has grown to this size, or to the size of the store if that is larger. */
const minLogLimit = 1024 ** 3;

export const storeFile = (folder: string): string => join(folder, dataFiles.database);

/** @throws CommandError  the folder has no store, or a newer release wrote it */
export function openSqliteContents(folder: string): StoreContents {
  const file = storeFile(folder);
  if (!existsSync(file)) throw new CommandError(`DATA_DIR ${folder} contains no store`);
  const connection = new DatabaseSync(file);
  connection.exec("PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL");
  const { user_version: version } = connection.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version > formatVersion) {
    connection.close();
    throw new CommandError(
      `${file} was written by a newer release (format ${version}, this release reads up to ${formatVersion}): use that release`,
    );
  }
  const tables = (databases: readonly DeclaredDatabase[]) =>
    databases
      .flatMap(({ service, collections }) => collections.map((c) => ({ title: `${service}.${c.name}`, table: tableOf(service, c).name })))
      .filter(({ table }) => hasTable(connection, table));

  return {
    kind: "sqlite",
    snapshot: () => Promise.resolve(beginSnapshot(file)),
    firstFilled(databases) {
      const filled = tables(databases).find(({ table }) => connection.prepare(`SELECT 1 FROM "${table}" LIMIT 1`).get() !== undefined);
      return Promise.resolve(filled?.title);
    },
    erase(databases) {
      const sql = tables(databases).map(({ table }) => `DELETE FROM "${table}"`);
      connection.exec(["BEGIN IMMEDIATE", ...sql, "COMMIT"].join("; "));
      return Promise.resolve();
    },
    close() {
      connection.close();
      return Promise.resolve();
    },
  };
}

const hasTable = (connection: DatabaseSync, table: string): boolean =>
  connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) !== undefined;

function beginSnapshot(file: string): StoreSnapshot {
  const connection = new DatabaseSync(file, { readOnly: true });
  connection.exec("PRAGMA busy_timeout = 10000; BEGIN");
  // SQLite begins the transaction at the first read.
  connection.prepare("SELECT count(*) FROM sqlite_master").get();
  return {
    async *rows(service: string, collection: Collection): AsyncGenerator<JsonRows> {
      const { name } = tableOf(service, collection);
      if (!hasTable(connection, name)) return;
      let page: string[] = [];
      for (const { doc } of connection.prepare(`SELECT doc FROM "${name}"`).iterate()) {
        if (page.push(doc as string) < pageSize) continue;
        assertLogBounded(file);
        yield page;
        page = [];
      }
      if (page.length > 0) yield await Promise.resolve(page);
    },
    close() {
      if (connection.isOpen) connection.close();
      return Promise.resolve();
    },
  };
}

function assertLogBounded(file: string): void {
  const { size = 0 } = statSync(`${file}-wal`, { throwIfNoEntry: false }) ?? {};
  if (size <= Math.max(minLogLimit, statSync(file).size)) return;
  throw new CommandError(
    `The backup is too slow: ${Math.round(size / 1024 ** 2)} MB have been written to the store since it began, and can't be checkpointed before it ends; write it to a faster disk or at a quieter time`,
  );
}
