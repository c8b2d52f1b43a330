/** The data folder: one process holds it, and its data is never opened by a release older than the one that wrote it. */
import { accessSync, closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StartError } from "../../errors.ts";

/**
 * The file's own form; what a service stores in it has versions of its own (`../migrations.ts`). From 3 on, every release keeps up
 * the columns and indexes of others.
 */
export const formatVersion = 3;

export interface OpenFolder {
  /** The database's file. */
  readonly file: string;
  /** The main thread's connection, for reading and for making tables. */
  readonly connection: DatabaseSync;
  readonly release: () => void;
}

const sqliteBusy = 5;

/** @throws StartError  unwritable, held by another process, or written by a newer release */
export function lockFolder(folder: string): OpenFolder {
  const lock = asStartError(`DATA_DIR ${folder} can't be written`, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK | constants.X_OK);
    return acquireLock(folder);
  });
  try {
    const file = join(folder, "parley.db");
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
 * Opens the store of a folder that another process may hold: SQLite's write-ahead log lets any process read and write beside it.
 * @throws StartError  unreadable, or written by a newer release
 */
export function openBeside(folder: string): OpenFolder {
  const file = join(folder, "parley.db");
  const connection = asStartError(`The store ${file} can't be opened`, () => openFile(file));
  return { file, connection, release: () => connection.close() };
}

/** Makes the file readable by its owner alone, where it is missing; SQLite gives its log the same mode. */
function privateFile(file: string): string {
  closeSync(openSync(file, "a", 0o600));
  return file;
}

/** An exclusive transaction that is never ended: the system frees its file lock with the process, however that dies. */
function acquireLock(folder: string): DatabaseSync {
  const lock = new DatabaseSync(privateFile(join(folder, "lock.db")));
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
    // Cut off at any byte, a write-ahead log still holds all whole commits before the cut.
    // Small pages: a message touches one page in each of its indexes, and whole pages go to the log (a fifth less CPU than with 4 kB).
    connection.exec("PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000");
    const version = (connection.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
    if (version > formatVersion) {
      throw new StartError(`${file} was written by a newer release (format ${version}, this one knows ${formatVersion}): use that release`);
    }
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Marks the store as written by this release. Beside a running server of an earlier one that must not happen: it could not start again. */
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
