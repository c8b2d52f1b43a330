/**
 * Stores the collections of all services as tables in one SQLite file. A writer thread makes commits durable in groups; reads run on the
 * main thread's connection, and each returns one page at most.
 */
import type { Logger } from "moleculer";
import type { Collection, Database, Store } from "../store.ts";
import { openDatabase } from "./database.ts";
import { lockFolder, openBeside, type OpenFolder } from "./data-folder.ts";
import { createTables } from "./tables.ts";
import { startWriter } from "./writer.ts";

/**
 * Opens the store in this folder and creates it if it is missing.
 * @throws StartError  the folder is not writable, another process holds it, or a newer release wrote its data
 */
export function openSqliteStore(folder: string, { log }: { log: Logger }): Promise<Store> {
  return storeIn(lockFolder(folder), log);
}

/**
 * Opens the store of a folder that a running server may hold. A backup uses it: it mostly reads.
 * @throws StartError  the store can't be opened, or a newer release wrote it
 */
export function openSqliteStoreBeside(folder: string, { log }: { log: Logger }): Promise<Store> {
  return storeIn(openBeside(folder), log);
}

async function storeIn(folder: OpenFolder, log: Logger): Promise<Store> {
  const writer = await startWriter(folder.file, log);
  let closed: Promise<void> | undefined;
  return {
    open: (service: string, collections: readonly Collection[]): Promise<Database> =>
      new Promise((resolve) => resolve(openDatabase(folder.connection, writer, createTables(folder.connection, service, collections)))),
    time: () => Promise.resolve(Date.now()),
    health: () => Promise.resolve(writer.health()),
    close: () => (closed ??= writer.close().then(folder.release)),
  };
}
