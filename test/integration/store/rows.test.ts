/** Tests how commits change rows, on every adapter: unique indexes, upserts, changes of many rows, and what is stored of a document. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { insert, remove, update, updateAll, upsert, expect as unchanged, type Database } from "../../../core/store/store.ts";
import { all, chats, conflict, duplicate, message, messages, messagesOf, outcomesOf, users } from "../../support/store/collections.ts";
import { type TestStore } from "../../support/store/stores.ts";
import { describeStores } from "../../support/systems/describe-with.ts";

describeStores("Rows in the store", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("chat", all);
  });
  afterAll(() => opened.remove());

  test("a duplicate id or unique key is reported with its index", async () => {
    const [chatId, _id] = [newId(), newId()];
    await db.commit([insert(messages, { _id, chatId, n: 1, senderId: "s", clientId: "c" })]);
    await expect(db.commit([insert(messages, { _id, chatId, n: 2 })])).rejects.toMatchObject(duplicate("messages", "_id"));
    await expect(db.commit([insert(messages, message(chatId, 1))])).rejects.toMatchObject(duplicate("messages", "byN"));
    const clash = message(chatId, 2, { senderId: "s", clientId: "c" });
    await expect(db.commit([insert(messages, clash)])).rejects.toMatchObject(duplicate("messages", "byClientId"));
    await expect(db.commit([insert(chats, { _id: newId(), seq: 0 }), insert(messages, clash)])).rejects.toMatchObject(
      duplicate("messages", "byClientId"),
    );
    await db.commit([insert(messages, message(chatId, 2))]);
    await expect(db.commit([update(messages, { chatId, n: 2 }, { n: 1 })])).rejects.toMatchObject(duplicate("messages", "byN"));
  });

  test("a unique index leaves out rows that lack one of its fields or have null there", async () => {
    const chatId = newId();
    await db.commit([
      insert(messages, message(chatId, 1, { senderId: "s" })),
      insert(messages, message(chatId, 2, { senderId: "s", clientId: null })),
      insert(messages, message(chatId, 3, { senderId: "s", clientId: null })),
      insert(messages, message(chatId, 4)),
    ]);
    expect(await db.page(messages, { index: "byClientId", where: { chatId }, limit: 10 })).toEqual([]);
    expect(await messagesOf(db, chatId)).toHaveLength(4);
  });

  test("an upsert inserts all fields, and later changes only those that it sets", async () => {
    const email = `${newId()}@example.org`;
    const visit = (visits: number, firstSeen: number) => db.commit([upsert(users, { email }, { visits }, { firstSeen, vip: true })]);
    await visit(1, 100);
    const [user] = await db.find(users, [{ email }]);
    expect(user).toEqual({ _id: expect.stringMatching(/^[0-9a-f]{24}$/), email, visits: 1, firstSeen: 100, vip: true });
    await visit(2, 200);
    expect(await db.find(users, [{ email }])).toEqual([{ ...user, visits: 2 }]);
    await db.commit([upsert(users, { _id: user!._id }, {}, { firstSeen: 300 })]);
    expect(await db.find(users, [{ email }])).toEqual([{ ...user, visits: 2 }]);
  });

  test("concurrent upserts of one key make one row", async () => {
    const [email, other] = [`${newId()}@example.org`, `${newId()}@example.org`];
    const racers = Array.from({ length: 20 }, (_, visits) => visits);
    expect(
      (
        await outcomesOf(
          db,
          racers.map((visits) => [upsert(users, { email }, { visits }, {})]),
        )
      ).succeeded,
    ).toBe(20);
    const together = racers.map((visits) => [insert(chats, { _id: newId(), seq: 0 }), upsert(users, { email: other }, { visits }, {})]);
    expect((await outcomesOf(db, together)).succeeded).toBe(20);
    expect(await db.find(users, [{ email }, { email: other }])).toHaveLength(2);
  });

  test("an upsert that violates another unique index is refused", async () => {
    const email = `${newId()}@example.org`;
    await db.commit([insert(users, { _id: newId(), email })]);
    await expect(db.commit([upsert(users, { _id: newId() }, { email }, {})])).rejects.toMatchObject(duplicate("users", "byEmail"));
  });

  test("updateAll and remove change every row with an index prefix, and no other row", async () => {
    const [chatId, other] = [newId(), newId()];
    await db.commit([1, 2, 3].flatMap((n) => [insert(messages, message(chatId, n)), insert(messages, message(other, n))]));
    await db.commit([updateAll(messages, { chatId }, { text: "changed" })]);
    expect((await messagesOf(db, chatId)).map(({ text }) => text)).toEqual(["changed", "changed", "changed"]);
    expect((await messagesOf(db, other)).map(({ text }) => text)).toEqual([undefined, undefined, undefined]);
    await db.commit([remove(messages, { chatId, n: 2 })]);
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual([1, 3]);
    await db.commit([remove(messages, { chatId }), updateAll(messages, { chatId: newId() }, { text: "none" })]);
    expect(await messagesOf(db, chatId)).toEqual([]);
    expect(await messagesOf(db, other)).toHaveLength(3);
  });

  test("documents are read as they were written: null stays, undefined is dropped, nested values are replaced as a whole", async () => {
    const _id = newId();
    const settings = { $set: { "a.b": 1 }, list: [1, null, "Ωμέγα 🙂"], deep: { x: undefined, y: true } };
    await db.commit([insert(users, { _id, email: null, vip: false, visits: 1.5, settings })]);
    const stored = { $set: { "a.b": 1 }, list: [1, null, "Ωμέγα 🙂"], deep: { y: true } };
    expect(await db.get(users, _id)).toEqual({ _id, email: null, vip: false, visits: 1.5, settings: stored });
    await db.commit([update(users, { _id, vip: false }, { vip: true, visits: null, settings: { text: "$visits" } })]);
    expect(await db.get(users, _id)).toEqual({ _id, email: null, vip: true, visits: null, settings: { text: "$visits" } });
    await db.commit([unchanged(users, { _id, firstSeen: null, visits: null, vip: true })]);
    await expect(db.commit([unchanged(users, { _id, vip: null })])).rejects.toMatchObject(conflict);
  });

  test("texts have any characters, U+0000 too, also in keys", async () => {
    const chatId = newId();
    const texts = ["a\u0000b", "\u0000", "a", "", " ", "\u{10ffff}", "\r\n'\"\\%_$"];
    await db.commit(texts.map((clientId, n) => insert(messages, message(chatId, n, { senderId: "x", clientId, text: clientId }))));
    const found = await db.find(
      messages,
      texts.map((clientId) => ({ chatId, senderId: "x", clientId })),
    );
    expect(found.map(({ n, text }) => [n, text]).sort()).toEqual(texts.map((text, n) => [n, text]));
    const again = insert(messages, message(chatId, 99, { senderId: "x", clientId: "a\u0000b" }));
    await expect(db.commit([again])).rejects.toMatchObject({ name: "Duplicate", index: "byClientId" });
  });
});
