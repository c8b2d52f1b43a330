/** Backups contain every collection that a service declares, so there is no second list to maintain. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { backUp } from "../../../core/backup/backup.ts";
import { serviceDataOf } from "../../../core/backup/service-data.ts";
import { prepareServices } from "../../../core/backup/era.ts";
import { openInstallationData, transientCollections } from "../../../core/backup/installation-data.ts";
import { readConfig } from "../../../core/config/config.ts";
import { newId } from "../../../core/ids.ts";
import { installationService } from "../../../core/node/installation.ts";
import { openSqliteStore } from "../../../core/store/sqlite/store.ts";
import { collection, insert, type Database, type Doc } from "../../../core/store/store.ts";
import { database } from "../../../mixins/database.ts";
import { allServiceData } from "../../../scripts/operator/service-data.ts";
import { followers } from "../../../services/followers.ts";
import { readArchive } from "../../support/store/archives.ts";
import { addThings, contents, kept, migrated, openAs, releases } from "../../support/store/migrating-service.ts";
import { startEmbedded, temporaryFolder } from "../../support/servers/server.ts";
import { silentLogger } from "../../support/store/stores.ts";

interface DeclaredRow extends Doc {
  readonly words: string;
}
const extras = collection<DeclaredRow>()("extras", { byWords: { fields: ["words"] } });

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => rm(folder, { recursive: true }));

test("a collection that a service declares is in the next backup", async () => {
  const row = { _id: newId(), words: "declared by a service only" };
  const store = await openSqliteStore(folder, { log: silentLogger });
  await (await store.open("novel", [extras])).commit([insert(extras, row)]);
  await store.close();
  const declared = serviceDataOf({ name: "novel", mixins: [{ mixins: [database("novel", [extras])] }] })!;
  const place = await openInstallationData(readConfig({ DATA_DIR: folder }), followers, "beside", silentLogger);
  const file = join(folder, "novel.tar");
  const { signal } = new AbortController();
  await backUp({ data: place, declared: [declared], file, version: "0.0.0", isMove: false, say: () => undefined, signal });
  await place.close();
  const { rows, manifest } = await readArchive(file);
  expect(rows["novel.extras"]).toEqual([row]);
  expect(manifest.rows["novel.extras"]).toBe(1);
});

test("every collection that a server stores is declared by a service or listed as transient", async () => {
  const server = await startEmbedded({ dataDir: join(folder, "data") });
  await server.stop();
  const connection = new DatabaseSync(join(folder, "data", "parley.db"), { readOnly: true });
  const tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
  connection.close();
  const databases = [...(await allServiceData()), ...transientCollections];
  const known = databases.flatMap(({ service, collections }) => collections.map(({ name }) => `${service}_${name}`));
  const kept = tables.map(({ name }) => name).filter((name) => !name.startsWith(`${installationService}_`));
  expect(kept.length).toBeGreaterThan(10);
  expect(kept.filter((name) => !known.includes(name))).toEqual([]);
});

test("a service's restore hook sees rows that are migrated to its release's schema", async () => {
  const store = await openSqliteStore(join(folder, "older"), { log: silentLogger });
  await addThings(await openAs(store, 1), 12);
  const seen: unknown[] = [];
  const announceState = async (db: Database) => void seen.push(await contents(db));
  const declared = serviceDataOf({ name: "thing", mixins: [database("thing", kept, releases()), { restoring: { announceState } }] })!;
  await prepareServices({ store, log: silentLogger }, [declared], true);
  expect(seen).toEqual([migrated(12)]);
  await store.close();
});
