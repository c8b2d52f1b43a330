/** Tests snapshots of a whole store, which show one state of all databases during writes, and erasing its contents. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import type { StoreContents, DeclaredDatabase, StoreSnapshot } from "../../../core/store/contents.ts";
import { collection, insert, update, type Database, type Doc } from "../../../core/store/store.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { openContentsAt, storeAdapters, type TestStore } from "../../support/store/stores.ts";

interface CountRow extends Doc {
  readonly count: number;
}
const heads = collection<CountRow>()("heads", { byCount: { fields: ["count"] } });
const tails = collection<CountRow>()("tails", {});
const databases: readonly DeclaredDatabase[] = [
  { service: "first", collections: [heads] },
  { service: "second", collections: [tails] },
];

for (const adapter of storeAdapters) {
  describeWith(adapter.needs, `The contents of a store on ${adapter.title}`, () => {
    let opened: TestStore;
    let contents: StoreContents;
    let first: Database;
    let second: Database;
    const _id = newId();
    beforeEach(async () => {
      opened = await adapter.open();
      first = await opened.store.open("first", [heads]);
      second = await opened.store.open("second", [tails]);
      contents = await openContentsAt(opened.location);
    });
    afterEach(async () => {
      await contents.close();
      await opened.remove();
    });
    async function rowsOf(snapshot: StoreSnapshot, service: string, c: typeof heads | typeof tails): Promise<CountRow[]> {
      const found: CountRow[] = [];
      for await (const page of snapshot.rows(service, c)) found.push(...page.map((row) => JSON.parse(row) as CountRow));
      return found;
    }
    const none = () => undefined;

    test("a snapshot shows all databases at one moment, however late it reads them", async () => {
      await first.commit([insert(heads, { _id, count: 1 })]);
      await second.commit([insert(tails, { _id, count: 1 })]);
      const snapshot = await contents.snapshot(none);
      expect(await rowsOf(snapshot, "first", heads)).toEqual([{ _id, count: 1 }]);
      await first.commit([update(heads, { _id }, { count: 2 }), insert(heads, { _id: newId(), count: 2 })]);
      await second.commit([update(tails, { _id }, { count: 2 })]);
      expect(await rowsOf(snapshot, "second", tails)).toEqual([{ _id, count: 1 }]);
      expect(await rowsOf(snapshot, "first", heads)).toEqual([{ _id, count: 1 }]);
      await snapshot.close();
      await snapshot.close();
      const later = await contents.snapshot(none);
      expect(await rowsOf(later, "second", tails)).toEqual([{ _id, count: 2 }]);
      expect(await rowsOf(later, "nowhere", tails)).toEqual([]);
      await later.close();
    });

    test("many rows are read in pages, each row once and as it was written", async () => {
      const rows = Array.from({ length: 1300 }, (_, count) => ({
        _id: newId(),
        count,
        deep: { ü: [1.5, null, true, "\u2028"] },
        big: 1.8e15,
      }));
      for (let from = 0; from < rows.length; from += 400) await first.commit(rows.slice(from, from + 400).map((row) => insert(heads, row)));
      const snapshot = await contents.snapshot(none);
      const found = await rowsOf(snapshot, "first", heads);
      await snapshot.close();
      expect(found.sort((a, b) => a.count - b.count)).toEqual(rows);
    });

    test("the first collection with rows is named, erasing empties it, and erasing an empty store is allowed", async () => {
      expect(await contents.firstFilled(databases)).toBeUndefined();
      await second.commit([insert(tails, { _id, count: 1 })]);
      expect(await contents.firstFilled(databases)).toBe("second.tails");
      const more = [...databases, { service: "nowhere", collections: [heads] }];
      await contents.erase(more);
      await contents.erase(more);
      expect(await contents.firstFilled(more)).toBeUndefined();
      second = await opened.store.open("second", [tails]);
      await second.commit([insert(tails, { _id, count: 1 })]);
      expect(await second.get(tails, _id)).toEqual({ _id, count: 1 });
    });
  });
}
