/** Locks the data folder for one process and opens the SQLite file in it. An older release never opens data that a newer one wrote. */
import { accessSync, closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StartError } from "../../errors.ts";
import { dataFiles } from "../../config/data-files.ts";

/**
 * Format of the file itself. Each service's data has its own schema version (`../migrations.ts`). From format 3 on, every release also
 * maintains the columns and indexes that other releases declared.
 */
export const formatVersion = 3;

export interface OpenFolder {
  /** Path of the database file. */
  readonly file: string;
  /** The main thread's connection, for reads and for creating tables. */
  readonly connection: DatabaseSync;
  readonly release: () => void;
}

const sqliteBusy = 5;

/** @throws StartError  the folder is not writable, another process holds it, or a newer release wrote the data */
export function lockFolder(folder: string): OpenFolder {
  const lock = asStartError(`DATA_DIR ${folder} can't be written`, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK | constants.X_OK);
    return acquireLock(folder);
  });
  try {
    const file = join(folder, dataFiles.database);
    const connection = asStartError(`The store ${file} can't be opened`, () => withFormatVersion(openFile(file)));
    return {
      file,
      connection,
      release: () => {
        connection.close();
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * Opens the store of a folder that another process may hold. In WAL mode SQLite lets several processes read and write one file.
 * @throws StartError  unreadable, or written by a newer release
 */
export function openBeside(folder: string): OpenFolder {
  const file = join(folder, dataFiles.database);
  const connection = asStartError(`The store ${file} can't be opened`, () => openFile(file));
  return { file, connection, release: () => connection.close() };
}

/** Creates the file if it is missing, readable by its owner only. SQLite creates the write-ahead log with the same mode. */
function privateFile(file: string): string {
  closeSync(openSync(file, "a", 0o600));
  return file;
}

/**
 * Holds the lock as an exclusive transaction that never ends: the operating system releases the file lock when the process dies, whatever
 * the cause.
 */
function acquireLock(folder: string): DatabaseSync {
  const lock = new DatabaseSync(privateFile(join(folder, dataFiles.lock)));
  try {
    lock.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) throw new StartError(`DATA_DIR ${folder} is in use by another process`);
    throw error;
  }
}

function openFile(file: string): DatabaseSync {
  const connection = new DatabaseSync(privateFile(file));
  try {
    // A write-ahead log that is truncated at any byte still holds every complete commit before that point.
    // Small pages: a message changes one page in each of its indexes, and the log receives whole pages. 2 kB pages need a fifth less CPU
    // than 4 kB.
    connection.exec("PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000");
    const version = (connection.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
    if (version > formatVersion) {
      throw new StartError(
        `${file} was written by a newer release (format ${version}, this release reads up to ${formatVersion}): use that release`,
      );
    }
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Marks the store as written by this release. Not called beside a running server of an earlier release, which could not start again. */
function withFormatVersion(connection: DatabaseSync): DatabaseSync {
  connection.exec(`PRAGMA user_version = ${formatVersion}`);
  return connection;
}

function asStartError<T>(what: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`${what}: ${(error as Error).message}`);
  }
}
