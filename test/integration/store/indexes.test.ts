/** Tests how indexes change when releases with different declarations open one store, on every adapter. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { StartError } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { collection, insert, update, type Collection, type Database, type Index } from "../../../core/store/store.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import { openStoreAt, type TestStore } from "../../support/store/stores.ts";

interface IndexedPersonRow {
  readonly _id: string;
  readonly email?: string;
  readonly born?: number;
}
/** The collection as one release declares it. */
const people = <const I extends Readonly<Record<string, Index<IndexedPersonRow>>>>(indexes: I) =>
  collection<IndexedPersonRow>()("people", indexes);
const person = (born: number, email = `${born}@example.org`): IndexedPersonRow => ({ _id: newId(), email, born });

describeStores("Indexes", (open, { isShared }) => {
  let opened: TestStore;
  beforeEach(async () => (opened = await open()));
  afterEach(() => opened.remove());

  const as = (declared: Collection<IndexedPersonRow>): Promise<Database> => opened.store.open("chat", [declared]);
  const add = (db: Database, to: Collection<IndexedPersonRow>, ...rows: readonly IndexedPersonRow[]) =>
    db.commit(rows.map((row) => insert(to, row)));
  const births = async (db: Database, from: Collection<IndexedPersonRow>, index: string) =>
    (await db.page(from, { index, limit: 100 })).map(({ born }) => born);
  /** Returns the error message when a release cannot open the store. */
  async function refusal(declared: Collection<IndexedPersonRow>): Promise<string> {
    const error = await as(declared).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).message).not.toContain("\n");
    return (error as StartError).message;
  }

  test("an index that a new release declares is built over the existing rows, also a unique one", async () => {
    const earlier = people({});
    await add(await as(earlier), earlier, person(3), person(1), person(2));
    const now = people({ byBirth: { fields: ["born"] }, byEmail: { fields: ["email"], unique: true } });
    const db = await as(now);
    expect(await births(db, now, "byBirth")).toEqual([1, 2, 3]);
    const taken = { name: "Duplicate", collection: "people", index: "byEmail" };
    await expect(add(db, now, person(4, "1@example.org"))).rejects.toMatchObject(taken);
  });

  test.each([
    ["other fields", people({ byBirth: { fields: ["email", "born"] } })],
    ["another order of fields", people({ byBirth: { fields: ["_id", "born"] } })],
    ["uniqueness", people({ byBirth: { fields: ["born", "_id"], unique: true } })],
  ])("an index declared with %s under its old name stops the start with a one-line error, and stays unchanged", async (_, changed) => {
    const earlier = people({ byBirth: { fields: ["born", "_id"] } });
    const db = await as(earlier);
    await add(db, earlier, person(2), person(1));
    expect(await refusal(changed)).toMatch(/byBirth of people.*new name/);
    expect(await births(db, earlier, "byBirth")).toEqual([1, 2]);
    expect(await births(await as(earlier), earlier, "byBirth")).toEqual([1, 2]);
  });

  test("a changed index under a new name exists beside the old one, and both releases maintain both", async () => {
    const earlier = people({ byBirth: { fields: ["born"] } });
    const later = people({ byUniqueBirth: { fields: ["born"], unique: true }, byEmail: { fields: ["email"] } });
    await add(await as(earlier), earlier, person(1));
    await add(await as(later), later, person(2));
    const old = await as(earlier);
    const added = person(3);
    await add(old, earlier, added);
    await old.commit([update(earlier, { _id: added._id }, { email: "9@example.org" })]);
    await expect(add(old, earlier, person(3))).rejects.toMatchObject({ name: "Duplicate" });
    const now = await as(later);
    expect(await births(now, later, "byUniqueBirth")).toEqual([1, 2, 3]);
    expect(await births(now, later, "byEmail")).toEqual([1, 2, 3]);
    expect(await births(await as(earlier), earlier, "byBirth")).toEqual([1, 2, 3]);
  });

  test("the same index under another name stops the start with a one-line error", async () => {
    await as(people({ byBirth: { fields: ["born"] } }));
    expect(await refusal(people({ byAge: { fields: ["born"] } }))).toMatch(/byAge of people.*under the name byBirth/);
  });

  test("a unique index over duplicate rows stops the start with a one-line error, and changes nothing", async () => {
    const earlier = people({ byBirth: { fields: ["born"] } });
    await add(await as(earlier), earlier, person(1, "same@example.org"), person(2, "same@example.org"));
    const unique = people({ byEmail: { fields: ["email"], unique: true } });
    expect(await refusal(unique)).toMatch(/byEmail of people.*same email/);
    const db = await as(earlier);
    await add(db, earlier, person(3, "same@example.org"));
    expect(await births(db, earlier, "byBirth")).toEqual([1, 2, 3]);
  });

  test("nodes of two releases that open the store at the same time both have their indexes", async () => {
    const earlier = people({ byBirth: { fields: ["born"] } });
    const later = people({ byBirthAndId: { fields: ["born", "_id"] } });
    await add(await as(earlier), earlier, person(2), person(1));
    const others = isShared ? await Promise.all([1, 2].map(() => openStoreAt(opened.location))) : [];
    const stores = [opened.store, opened.store, ...others];
    const databases = await Promise.all(stores.map((store, i) => store.open("chat", [i % 2 === 0 ? earlier : later])));
    for (const [i, db] of databases.entries()) {
      if (i % 2 === 0) expect(await births(db, earlier, "byBirth")).toEqual([1, 2]);
      else expect(await births(db, later, "byBirthAndId")).toEqual([1, 2]);
    }
    await Promise.all(others.map((store) => store.close()));
  });
});
