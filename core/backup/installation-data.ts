/** Opens what backups read and restores write, as the environment specifies: a data folder or a mesh's stores. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "moleculer";
import type { Blobs } from "../blobs/blobs.ts";
import type { Config } from "../config/config.ts";
import { openInstallationDatabase } from "../node/installation.ts";
import { deadLetters, queueRows } from "../queue/local-dispatcher.ts";
import { retryPolicyOf, type ConsumerGroups } from "../queue/queue.ts";
import type { StoreContents, DeclaredDatabase } from "../store/contents.ts";
import type { Database, Store } from "../store/store.ts";
import { deleteRedisKeys } from "./mesh-caches.ts";
import { assertMeshIdle } from "./mesh-idle.ts";
import { dataFiles } from "../config/data-files.ts";

export interface InstallationData {
  readonly log: Logger;
  readonly contents: StoreContents;
  readonly store: Store;
  readonly blobs: Blobs;
  /** Database with the installation's facts. */
  readonly facts: Database;
  /** @throws CommandError  a node runs, or the queues hold events. A data folder in use is refused when it is opened. */
  readonly assertIdle: () => Promise<void>;
  /** Clears caches and counters. */
  readonly clearCaches: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `beside`: nodes may run, for a backup. `exclusive`: no embedded server may run; for a mesh, `assertIdle` checks this. */
export type AccessMode = "beside" | "exclusive";

/**
 * Collections of an embedded server that are in no backup: undelivered events, as RabbitMQ's queues are in none. After a restore the
 * services announce the current state again.
 */
export const transientCollections: readonly DeclaredDatabase[] = [{ service: "queue", collections: [queueRows, deadLetters] }];

export const hasStore = ({ mesh, DATA_DIR }: Config): boolean => mesh !== undefined || existsSync(join(DATA_DIR, dataFiles.database));

/**
 * @throws CommandError  there is no store to read
 * @throws StartError    a data folder in use, or wrong credentials
 */
export const openInstallationData = (config: Config, groups: ConsumerGroups, mode: AccessMode, log: Logger): Promise<InstallationData> =>
  config.mesh === undefined ? openFolder(config, mode, log) : openMesh(config, config.mesh, groups, log);

async function openFolder(config: Config, mode: AccessMode, log: Logger): Promise<InstallationData> {
  const { openSqliteStore, openSqliteStoreBeside } = await import("../store/sqlite/store.ts");
  const { openSqliteContents } = await import("../store/sqlite/contents.ts");
  const { openDiskBlobs } = await import("../blobs/disk.ts");
  const { DATA_DIR: folder } = config;
  const isBeside = mode === "beside";
  if (isBeside) await openSqliteContents(folder).close(); // throws if there is no store
  const store = await (isBeside ? openSqliteStoreBeside : openSqliteStore)(folder, { log });
  const blobs = (await openCloudinary(config, log)) ?? (await openDiskBlobs(join(folder, dataFiles.blobs), { log, isBeside }));
  const nothing = () => Promise.resolve();
  return installationData(store, openSqliteContents(folder), blobs, { log, assertIdle: nothing, clearCaches: nothing });
}

async function openMesh(config: Config, mesh: NonNullable<Config["mesh"]>, groups: ConsumerGroups, log: Logger): Promise<InstallationData> {
  const { openMongoStore } = await import("../store/mongo/store.ts");
  const { openMongoContents } = await import("../store/mongo/contents.ts");
  const { openGridFsBlobs } = await import("../blobs/gridfs.ts");
  const store = await openMongoStore(mesh.mongoUri, mesh.name, { log });
  const contents = await openMongoContents(mesh.mongoUri, mesh.name, log);
  const blobs = (await openCloudinary(config, log)) ?? (await openGridFsBlobs(mesh.mongoUri, mesh.name, { log }));
  const retry = retryPolicyOf(config);
  return installationData(store, contents, blobs, {
    log,
    assertIdle: () => assertMeshIdle(mesh, groups, retry),
    clearCaches: () => deleteRedisKeys(mesh),
  });
}

async function installationData(
  store: Store,
  contents: StoreContents,
  blobs: Blobs,
  rest: Pick<InstallationData, "log" | "assertIdle" | "clearCaches">,
): Promise<InstallationData> {
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
