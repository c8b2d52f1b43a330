/** Request's directory of e-mail addresses, on both stores. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import type { Database } from "../../../core/store/store.ts";
import { recordPerson, people } from "../../../services/request/email-directory.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import type { TestStore } from "../../support/store/stores.ts";

describeStores("The directory", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("request", [people]);
  });
  afterAll(() => opened.remove());

  test("stores every field of a person's newest event", async () => {
    const _id = newId();
    // `label` stands for a field that a later release adds.
    const event = (rev: number) => ({ _id, emailId: `${rev}@example.org`, rev, label: `of ${rev}` });
    await recordPerson(db, event(1));
    expect(await db.get(people, _id)).toEqual(event(1));
    await recordPerson(db, event(3));
    expect(await db.get(people, _id)).toEqual(event(3));
    await recordPerson(db, event(2));
    expect(await db.get(people, _id)).toEqual(event(3));
  });
});
