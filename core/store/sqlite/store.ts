/**
 * The embedded store: all services' collections as tables of one SQLite file. Commits are made durable by a writer thread, in
 * groups; reads run on a connection of the main thread, and each returns no more than its page.
 */
import type { Logger } from "moleculer";
import type { Collection, Database, Store } from "../store.ts";
import { openDatabase } from "./database.ts";
import { lockFolder, openBeside, type OpenFolder } from "./data-folder.ts";
import { createTables } from "./tables.ts";
import { startWriter } from "./writer.ts";

/**
 * Opens the store in this folder, made if it is missing.
 * @throws StartError  the folder can't be written, is held by another process, or its data is from a newer release
 */
export function openSqliteStore(folder: string, { log }: { log: Logger }): Promise<Store> {
  return storeIn(lockFolder(folder), log);
}

/**
 * Opens the store of a folder that a server may hold: for a backup beside it, which writes little and reads otherwise.
 * @throws StartError  the store can't be opened, or is from a newer release
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
