/** Tests schema versions and migrations on every adapter: several runners, killed or frozen at any step, and unsuitable releases. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Logger } from "moleculer";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { checkMigrations, contract, expand, schemaOf } from "../../../core/store/migrations.ts";
import { insert, update, type Store } from "../../../core/store/store.ts";
import { eventually } from "../../support/eventually.ts";
import { isFrozen } from "../../support/fault-injection/freeze.ts";
import { describeSharedStores, describeStores } from "../../support/systems/describe-with.ts";
import { addThings, contents, kept, migrated, openAs, releases, things } from "../../support/store/migrating-service.ts";
import { openStoreAt, silentLogger, type TestStore } from "../../support/store/stores.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Starts a process that migrates, and arms this fault after so many pages. */
function node(place: TestStore["location"], pages: number, fault: string): ChildProcess {
  const program = fileURLToPath(new URL("../../support/store/migrating-process.ts", import.meta.url));
  const child = spawn(process.execPath, [program, ...place, String(pages), fault], { stdio: ["ignore", "ignore", "inherit"] });
  cleanUps.push(() => child.exitCode ?? child.signalCode ?? (child.kill("SIGKILL") && once(child, "exit")));
  return child;
}
const lines = (): { log: Logger; logged: string[] } => {
  const logged: string[] = [];
  const note = (line: string) => void logged.push(line);
  return { logged, log: { ...silentLogger, info: note, warn: note } };
};

describeStores("Migrations", (open, { isShared }) => {
  let opened: TestStore;
  beforeEach(async () => (opened = await open()));
  afterEach(() => opened.remove());

  /** Returns one store for each node. An embedded server has only one, so it is repeated. */
  async function stores(count: number): Promise<Store[]> {
    if (!isShared) return Array.from({ length: count }, () => opened.store);
    const others = await Promise.all(Array.from({ length: count - 1 }, () => openStoreAt(opened.location)));
    cleanUps.push(() => Promise.all(others.map((store) => store.close())));
    return [opened.store, ...others];
  }
  async function refusal(schema: number, all = releases()): Promise<string> {
    const error = await openAs(opened.store, schema, silentLogger, all).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).message).not.toContain("\n");
    return (error as StartError).message;
  }

  test("data without a schema version has schema 1, and a release without migrations keeps it", async () => {
    const before = await opened.store.open("thing", kept);
    await addThings(before, 3);
    const db = await openAs(opened.store, 1);
    expect(await schemaOf(db)).toMatchObject({ version: 1, oldest: 1 });
    expect((await contents(db)).things).toHaveLength(3);
  });

  test("a service migrates to its release's schema and logs its progress, and changes nothing the next time", async () => {
    await addThings(await openAs(opened.store, 1), 25);
    const { log, logged } = lines();
    const db = await openAs(opened.store, 4, log);
    expect(await contents(db)).toEqual(migrated(25));
    expect(logged[0]).toMatch(/^thing migrates from schema 1 to 2 \(every thing gets a label\): 0 changes/);
    expect(logged.at(-1)).toBe("thing has schema 4 now");
    const { rev } = await schemaOf(db);
    logged.length = 0;
    expect((await schemaOf(await openAs(opened.store, 4, log))).rev).toBe(rev);
    expect(logged).toEqual([]);
  });

  test.each([1, 3])("%i runners reach the same result, for any number of rows", async (runners) => {
    for (const count of [0, 1, 10, 11, 20 + Math.floor(Math.random() * 60)]) {
      const world = await open();
      try {
        await addThings(await openAs(world.store, 1), count);
        const others = await Promise.all(Array.from({ length: isShared ? runners - 1 : 0 }, () => openStoreAt(world.location)));
        const all = Array.from({ length: runners }, (_, i) => others[i - 1] ?? world.store);
        const [db] = await Promise.all(all.map((store) => openAs(store, 4)));
        expect(await contents(db!)).toEqual(migrated(count));
        await Promise.all(others.map((store) => store.close()));
      } finally {
        await world.remove();
      }
    }
  });

  test("when a runner is killed at every third page, the next one continues", async () => {
    await addThings(await openAs(opened.store, 1), 45);
    if (!isShared) await opened.store.close();
    let kills = 0;
    for (let runs = 0; runs < 20; runs++) {
      const child = node(opened.location, 2, "schema.page=kill");
      const [code, signal] = await once(child, "exit");
      if (code === 0) break;
      expect(signal).toBe("SIGKILL");
      kills++;
    }
    expect(kills).toBeGreaterThanOrEqual(7);
    const store = isShared ? opened.store : await openStoreAt(opened.location);
    expect(await contents(await openAs(store, 4))).toEqual(migrated(45));
    if (!isShared) await store.close();
  });

  // Pages of the first migration, whose rows all exist in schema 3, and of the last one: only the schema row prevents their commits.
  test.each([
    [0, 3],
    [3, 3],
    [13, 4],
  ])("a runner that was paused in page %i changes nothing when it continues in schema %i", async (stopAt, schema) => {
    await addThings(await openAs(opened.store, 1), 45);
    const [first, second] = await stores(2);
    const reached = Promise.withResolvers<undefined>();
    const goOn = Promise.withResolvers<undefined>();
    const standing = releases((pages) => {
      if (pages !== stopAt) return undefined;
      reached.resolve(undefined);
      return goOn.promise;
    });
    const late = openAs(first!, schema, silentLogger, standing);
    await reached.promise;
    const db = await openAs(second!, schema);
    const [whole, row] = [await contents(db), await schemaOf(db)];
    expect(row.version).toBe(schema);
    goOn.resolve(undefined);
    await late;
    expect(await contents(db)).toEqual(whole);
    expect(await schemaOf(db)).toEqual(row);
  });

  test("a page that conflicts with a write of an old node is read again with a lower limit", async () => {
    const old = await openAs(opened.store, 1);
    await addThings(old, 8);
    const limits: number[] = [];
    const meeting = releases(async (pages, { limit }) => {
      limits.push(limit);
      if (pages > 1) return;
      const [row] = await old.find(things, [{ name: pages === 0 ? "thing 1004" : "thing 2004" }]);
      await old.commit([update(things, { _id: row!._id }, { name: `thing ${pages === 0 ? 2004 : 3004}` })]);
    });
    const db = await openAs(opened.store, 2, silentLogger, meeting);
    expect(limits.slice(0, 3)).toEqual([200, 100, 50]);
    const { things: rows, marks } = await contents(db);
    expect(rows).toHaveLength(8);
    expect(rows.at(-1)).toBe("thing 3004: THING 3004");
    expect(marks).toHaveLength(8);
  });

  test("an older release still opens the data after an expand, and is refused with one line once a contract has begun", async () => {
    await addThings(await openAs(opened.store, 3), 5);
    const old = await openAs(opened.store, 1);
    await old.commit([insert(things, { _id: newId(), name: "by an old node" })]);
    const stopped = releases(() => Promise.reject(new Error("stopped at its first page")));
    await expect(openAs(opened.store, 4, silentLogger, stopped)).rejects.toThrow("stopped at its first page");

    expect(await refusal(2)).toMatch(/the data of thing needs a release with schema 3 or newer.*this release 2/);
    expect(await schemaOf(old)).toMatchObject({ version: 3, oldest: 3 });
    await openAs(opened.store, 3);
    await openAs(opened.store, 4);
    await openAs(opened.store, 3);
    expect(await refusal(1)).toMatch(/needs a release with schema 3 or newer/);
  });

  test("a release that no longer has the first migrations refuses older data with one line", async () => {
    await openAs(opened.store, 1);
    expect(await refusal(4, releases().slice(1))).toMatch(/has schema 1, and this release migrates from 2 on/);
    await openAs(opened.store, 2);
    await openAs(opened.store, 4, silentLogger, releases().slice(1));
  });
});

describeSharedStores("A migration's runner, beside others,", (open) => {
  test.each(["schema.page", "store.commit"])(
    "frozen at %s does not block the others, and changes nothing when it continues",
    async (point) => {
      const opened = await open();
      cleanUps.push(() => opened.remove());
      await addThings(await openAs(opened.store, 1), 45);
      const frozen = node(opened.location, 13, `${point}=freeze`);
      await eventually("it is frozen in a page", () => isFrozen(frozen));
      const db = await openAs(opened.store, 4);
      expect(await contents(db)).toEqual(migrated(45));
      const { rev } = await schemaOf(db);
      frozen.kill("SIGCONT");
      expect(await once(frozen, "exit")).toEqual([0, null]);
      expect(await contents(db)).toEqual(migrated(45));
      expect((await schemaOf(db)).rev).toBe(rev);
    },
  );
});

test("migrations that skip a version or exclude their own release are refused when they are declared", () => {
  const none = () => Promise.resolve({ operations: [] });
  expect(() => checkMigrations([expand(2, "", none), expand(4, "", none)])).toThrow(/to 4/);
  expect(() => checkMigrations([expand(1, "", none)])).toThrow(/to 1/);
  expect(() => checkMigrations([contract(2, 3, "", none)])).toThrow(/to 2/);
  expect(() => checkMigrations([expand(5, "", none), contract(6, 5, "", none)])).not.toThrow();
});
