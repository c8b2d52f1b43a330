/** What backups read and restores write, opened as the environment says: a data folder or a mesh's stores. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "moleculer";
import type { Blobs } from "../blobs/blobs.ts";
import type { Config } from "../config.ts";
import { openInstallationDatabase } from "../installation.ts";
import { dead, rows } from "../queue/local-dispatcher.ts";
import type { Groups } from "../queue/queue.ts";
import type { Contents, DeclaredDatabase } from "../store/contents.ts";
import type { Database, Store } from "../store/store.ts";
import { flushRedis, refuseBusyMesh } from "./idle.ts";

export interface Place {
  readonly log: Logger;
  readonly contents: Contents;
  readonly store: Store;
  readonly blobs: Blobs;
  /** The database of the installation's facts. */
  readonly facts: Database;
  /** @throws CommandError  a node runs, or events wait in the queues. A data folder that is held is refused when it is opened. */
  readonly refuseBusy: () => Promise<void>;
  /** Forgets what is cached or counted. */
  readonly forget: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * `beside`: nodes may run, as a backup lets them. `alone`: no embedded server may; of a mesh `refuseBusy` says it.
 */
export type Manner = "beside" | "alone";

/**
 * What an embedded server keeps besides its services' collections: events on their way. No backup holds them, as none holds those in
 * RabbitMQ: after a restore the state that they told is announced anew.
 */
export const transient: readonly DeclaredDatabase[] = [{ service: "queue", collections: [rows, dead] }];

export const hasStore = ({ mesh, DATA_DIR }: Config): boolean => mesh !== undefined || existsSync(join(DATA_DIR, "parley.db"));

/**
 * @throws CommandError  there is no store to read
 * @throws StartError    a data folder in use, wrong credentials
 */
export const openPlace = (config: Config, groups: Groups, manner: Manner, log: Logger): Promise<Place> =>
  config.mesh === undefined ? openFolder(config, manner, log) : openMesh(config, config.mesh, groups, log);

async function openFolder(config: Config, manner: Manner, log: Logger): Promise<Place> {
  const { openSqliteStore, openSqliteStoreBeside } = await import("../store/sqlite/store.ts");
  const { openSqliteContents } = await import("../store/sqlite/contents.ts");
  const { openDiskBlobs } = await import("../blobs/disk.ts");
  const { DATA_DIR: folder } = config;
  const isBeside = manner === "beside";
  if (isBeside) await openSqliteContents(folder).close(); // says it when there is none
  const store = await (isBeside ? openSqliteStoreBeside : openSqliteStore)(folder, { log });
  const blobs = (await openCloudinary(config, log)) ?? (await openDiskBlobs(join(folder, "blobs"), { log, isBeside }));
  const nothing = () => Promise.resolve();
  return opened(store, openSqliteContents(folder), blobs, { log, refuseBusy: nothing, forget: nothing });
}

async function openMesh(config: Config, mesh: NonNullable<Config["mesh"]>, groups: Groups, log: Logger): Promise<Place> {
  const { openMongoStore } = await import("../store/mongo/store.ts");
  const { openMongoContents } = await import("../store/mongo/contents.ts");
  const { openGridFsBlobs } = await import("../blobs/gridfs.ts");
  const store = await openMongoStore(mesh.mongoUri, mesh.name, { log });
  const contents = await openMongoContents(mesh.mongoUri, mesh.name, log);
  const blobs = (await openCloudinary(config, log)) ?? (await openGridFsBlobs(mesh.mongoUri, mesh.name, { log }));
  const retry = { firstDelayMs: config.EVENT_RETRY_MS, attempts: config.EVENT_ATTEMPTS };
  return opened(store, contents, blobs, {
    log,
    refuseBusy: () => refuseBusyMesh(mesh, groups, retry),
    forget: () => flushRedis(mesh),
  });
}

async function opened(store: Store, contents: Contents, blobs: Blobs, rest: Pick<Place, "log" | "refuseBusy" | "forget">): Promise<Place> {
  return {
    ...rest,
    contents,
    store,
    blobs,
    facts: await openInstallationDatabase(store),
    async close() {
      await Promise.allSettled([contents.close(), blobs.close()]);
      await store.close();
    },
  };
}

async function openCloudinary({ CLOUDINARY_URL: account, MESH }: Config, log: Logger): Promise<Blobs | undefined> {
  if (account === undefined) return undefined;
  const { openCloudinaryBlobs } = await import("../blobs/cloudinary.ts");
  return openCloudinaryBlobs(account, `parley/${MESH}`, { log });
}
