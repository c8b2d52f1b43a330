/** Checks the data folder of an embedded server, running or not, and the server itself if it runs. */
import { constants, existsSync, statSync } from "node:fs";
import { access } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { dataFiles } from "../../core/config/data-files.ts";
import { formatVersion } from "../../core/store/sqlite/data-folder.ts";
import { fine, todo, type DoctorCheck, type Finding } from "./check.ts";
import { fileFinding, type Configured } from "./configuration.ts";
import { backupFinding, schemaFindings, type RowReader } from "./data.ts";
import { diskFinding } from "./machine.ts";
import { readinessFindings } from "./remote.ts";

const sqliteBusy = 5;

/** Reads rows of `parley.db` in the server's format: one table per collection, with the document as JSON. */
function rowsOf(database: DatabaseSync): RowReader {
  const isTable = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  const read = (table: string, what: string, ...values: string[]): Record<string, unknown> | undefined =>
    isTable.get(table) === undefined ? undefined : database.prepare(what.replace("$table", `"${table}"`)).get(...values);
  return {
    get(service, collection, id) {
      const row = read(`${service}_${collection}`, "SELECT doc FROM $table WHERE _id = ?", id);
      return Promise.resolve(row === undefined ? undefined : (JSON.parse(row["doc"] as string) as Record<string, unknown>));
    },
    firstId(service, collection) {
      return Promise.resolve(
        read(`${service}_${collection}`, "SELECT _id FROM $table ORDER BY _id LIMIT 1")?.["_id"] as string | undefined,
      );
    },
  };
}

/** Whether a server holds the folder. Its exclusive lock makes even a read fail. */
function isHeld(folder: string): boolean {
  const file = join(folder, dataFiles.lock);
  if (!existsSync(file)) return false;
  const lock = new DatabaseSync(file, { readOnly: true });
  try {
    lock.exec("PRAGMA busy_timeout = 0");
    lock.prepare("SELECT count(*) FROM sqlite_master").get();
    return false;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === sqliteBusy) return true;
    throw error;
  } finally {
    lock.close();
  }
}

/**
 * Opens the database without writing. If a write-ahead log exists or a server runs, the log is read too. Otherwise the file is opened as
 * immutable, so that SQLite creates no log.
 */
function openDatabase(folder: string): DatabaseSync {
  const file = join(folder, dataFiles.database);
  if (isHeld(folder) || existsSync(`${file}-wal`)) return new DatabaseSync(file, { readOnly: true });
  const url = pathToFileURL(file);
  url.searchParams.set("immutable", "1");
  return new DatabaseSync(url, { readOnly: true });
}

async function withRows<R>(
  { config: { DATA_DIR } }: Configured,
  read: (rows: RowReader, database: DatabaseSync) => R | Promise<R>,
): Promise<R | Finding> {
  if (!existsSync(join(DATA_DIR, dataFiles.database))) return fine("nothing is stored yet");
  const database = openDatabase(DATA_DIR);
  try {
    return await read(rowsOf(database), database);
  } finally {
    database.close();
  }
}

const folder: DoctorCheck<Configured> = {
  name: "Data folder",
  async run({ config: { DATA_DIR } }) {
    const isThere = existsSync(DATA_DIR);
    const needed = isThere ? DATA_DIR : firstThere(DATA_DIR);
    if (!statSync(needed).isDirectory()) return todo(`${needed} is not a folder: set DATA_DIR to one`);
    try {
      await access(needed, constants.W_OK | constants.X_OK);
    } catch {
      return todo(`${needed} can't be written by this user: give it to the user that runs Parley (chown), or set DATA_DIR`);
    }
    if ((statSync(needed).mode & 0o022) !== 0 && isThere) return todo(`${DATA_DIR} can be written by others: chmod 700`);
    const open = [dataFiles.database, dataFiles.secret].map((name) => join(DATA_DIR, name)).filter((file) => existsSync(file));
    const wrong = open.map((file) => fileFinding("the file", file)).filter(({ isFine }) => !isFine);
    if (wrong.length > 0) return wrong;
    return fine(`${DATA_DIR} ${isThere ? (isHeld(DATA_DIR) ? "is in use by a running server" : "is not in use") : "will be created"}`);
  },
};

/** Returns the nearest existing parent folder. */
function firstThere(path: string): string {
  const parent = dirname(path);
  return existsSync(parent) || parent === path ? parent : firstThere(parent);
}

const disk: DoctorCheck<Configured> = {
  name: "Disk",
  run: ({ config: { DATA_DIR } }) => diskFinding(DATA_DIR, existsSync(DATA_DIR) ? DATA_DIR : firstThere(DATA_DIR)),
};

const data: DoctorCheck<Configured> = {
  name: "Data",
  run: (context) =>
    withRows(context, async (rows, database) => {
      const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
      if (version > formatVersion)
        return [todo(`it was written by a newer release (format ${version}, this release reads up to ${formatVersion}): use that release`)];
      return schemaFindings(rows);
    }),
};

const backup: DoctorCheck<Configured> = { name: "Backup", run: (context) => withRows(context, backupFinding) };

const server: DoctorCheck<Configured> = {
  name: "Server",
  run({ config: { DATA_DIR, PORT, HOST } }) {
    if (!isHeld(DATA_DIR)) return fine("not running");
    if (PORT === 0) return fine("running, on a port that it chose");
    const host = HOST === "0.0.0.0" || HOST === "::" ? "127.0.0.1" : HOST.includes(":") ? `[${HOST}]` : HOST;
    return readinessFindings(`http://${host}:${PORT}`);
  },
};

export const embeddedChecks: readonly DoctorCheck<Configured>[] = [folder, disk, data, backup, server];
