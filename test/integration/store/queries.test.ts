/** Tests reads on every adapter: by key, in pages, counted, and with conditions that are refused. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { insert, remove, update, updateAll, upsert, expect as unchanged, type Database } from "../../../core/store/store.ts";
import { all, chats, message, messages, newChat, users } from "../../support/store/collections.ts";
import { type TestStore } from "../../support/store/stores.ts";
import { describeStores } from "../../support/systems/describe-with.ts";

const invalid = { type: "VALIDATION" };

describeStores("Queries of the store", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("chat", all);
  });
  afterAll(() => opened.remove());

  test("getMany and find return what exists, each row once", async () => {
    const chatId = newId();
    const [first, second] = [message(chatId, 1), message(chatId, 2)];
    await db.commit([insert(messages, first), insert(messages, second)]);
    const ids = ({ _id }: { _id: string }) => _id;
    expect((await db.getMany(messages, [first._id, newId(), second._id, first._id])).map(ids).sort()).toEqual(
      [first._id, second._id].sort(),
    );
    expect(await db.getMany(messages, [])).toEqual([]);
    const keys = [{ chatId, n: 1 }, { chatId, n: 9 }, { chatId, n: 2 }, { _id: first._id }];
    expect((await db.find(messages, keys)).map(ids).sort()).toEqual([first._id, second._id].sort());
    expect(await db.find(messages, [])).toEqual([]);
    expect(await db.get(messages, newId())).toBeUndefined();
  });

  test("a page is bounded on both sides, exclusively, in either order", async () => {
    const [chatId, other] = [newId(), newId()];
    await db.commit([0, 1, 2, 3, 4, 5, 6].flatMap((n) => [insert(messages, message(chatId, n - 1)), insert(messages, message(other, n))]));
    const page = async (bounds: { after?: number[]; before?: number[]; order?: "asc" | "desc"; limit?: number }) =>
      (await db.page(messages, { index: "byN", where: { chatId }, limit: 100, ...bounds })).map(({ n }) => n);
    expect(await page({})).toEqual([-1, 0, 1, 2, 3, 4, 5]);
    expect(await page({ after: [1] })).toEqual([2, 3, 4, 5]);
    expect(await page({ after: [0] })).toEqual([1, 2, 3, 4, 5]);
    expect(await page({ after: [-1] })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await page({ before: [1] })).toEqual([-1, 0]);
    expect(await page({ after: [-1], before: [4], order: "desc" })).toEqual([3, 2, 1, 0]);
    expect(await page({ order: "desc", limit: 2 })).toEqual([5, 4]);
    expect(await page({ before: [4], order: "desc", limit: 2 })).toEqual([3, 2]);
    expect(await page({ after: [4], before: [2] })).toEqual([]);
    expect(await page({ limit: 0 })).toEqual([]);
    expect(await db.page(messages, { index: "byN", where: { chatId, n: 3 }, limit: 5 })).toMatchObject([{ n: 3 }]);
  });

  test("a cursor is the last row's own fields: pages neither skip nor repeat rows with equal values", async () => {
    const scope = 1_000_000 + Math.floor(Math.random() * 1e9);
    const rows = Array.from({ length: 30 }, (_, i) => ({ _id: newId(), seq: i, changedAt: scope + Math.floor(i / 7) }));
    await db.commit(rows.map((row) => insert(chats, row)));
    for (const order of ["asc", "desc"] as const) {
      const seen: number[] = [];
      let bounds: object = order === "asc" ? { after: [scope - 1] } : { before: [scope + 100] };
      for (;;) {
        const page = await db.page(chats, { index: "byChangedAt", order, limit: 4, ...bounds });
        const own = page.filter(({ changedAt }) => changedAt! >= scope && changedAt! < scope + 100);
        seen.push(...own.map(({ seq }) => seq));
        const last = own.at(-1);
        if (last === undefined) break;
        bounds = { [order === "asc" ? "after" : "before"]: [last.changedAt!, last._id] };
      }
      expect(seen).toEqual(order === "asc" ? rows.map(({ seq }) => seq) : rows.map(({ seq }) => seq).reverse());
    }
    const prefix = await db.page(chats, { index: "byChangedAt", after: [scope + 2], before: [scope + 4], limit: 100 });
    expect(prefix.map(({ seq }) => seq)).toEqual([21, 22, 23, 24, 25, 26, 27]);
  });

  test("texts are in the order of their bytes in UTF-8, and null is first but not below a bound", async () => {
    const [chatId, senderId] = [newId(), newId()];
    const inOrder = ["A", "B", "a", "a\u0000", "aa", "z", "é", "日", "\uffee", "🙂"];
    const rows = [...inOrder.toReversed(), null].map((clientId, n) => insert(messages, message(chatId, n, { senderId, clientId })));
    await db.commit(rows);
    const page = async (bounds: { after?: string[]; before?: string[]; order?: "desc" }) =>
      (await db.page(messages, { index: "byTexts", where: { chatId, senderId }, limit: 100, ...bounds })).map(({ clientId }) => clientId);
    expect(await page({})).toEqual([null, ...inOrder]);
    expect(await page({ order: "desc" })).toEqual([...inOrder.toReversed(), null]);
    expect(await page({ after: ["a"], before: ["é"] })).toEqual(["a\u0000", "aa", "z"]);
    expect(await page({ before: ["B"] })).toEqual(["A"]);
    expect(await page({ after: ["日"] })).toEqual(["\uffee", "🙂"]);
  });

  test("a count is capped at its limit and takes the same bounds", async () => {
    const chatId = newId();
    await db.commit(Array.from({ length: 12 }, (_, n) => insert(messages, message(chatId, n))));
    expect(await db.count(messages, { index: "byN", where: { chatId }, limit: 100 })).toBe(12);
    expect(await db.count(messages, { index: "byN", where: { chatId }, limit: 5 })).toBe(5);
    expect(await db.count(messages, { index: "byN", where: { chatId }, after: [8], limit: 100 })).toBe(3);
    expect(await db.count(messages, { index: "byN", where: { chatId: newId() }, limit: 100 })).toBe(0);
    expect(await db.count(messages, { index: "byN", where: { chatId }, limit: 0 })).toBe(0);
  });

  test.each([[{ $ne: 1 }], [{ $gt: "" }], [["a"]], [undefined], [NaN], [() => 1]])(
    "a condition's value %p is refused, never an operator",
    async (value) => {
      const chatId = await newChat(db, 3);
      // eslint-disable-next-line no-restricted-syntax -- the compiler refuses it, but a request could contain it
      const hostile = value as never;
      const attempts: (() => Promise<unknown>)[] = [
        () => db.get(chats, hostile),
        () => db.find(users, [{ email: hostile }, { _id: chatId, email: hostile }]),
        () => db.page(messages, { index: "byN", where: { chatId: hostile }, limit: 10 }),
        () => db.page(messages, { index: "byN", where: { chatId }, after: [hostile], limit: 10 }),
        () => db.commit([update(chats, { _id: chatId, seq: hostile }, { seq: 9 })]),
        () => db.commit([updateAll(messages, { chatId: hostile }, { text: "" })]),
        () => db.commit([remove(chats, { _id: hostile })]),
        () => db.commit([unchanged(chats, { _id: chatId, seq: hostile })]),
        () => db.commit([upsert(users, { email: hostile }, {}, {})]),
      ];
      for (const attempt of attempts) await expect(Promise.resolve().then(attempt)).rejects.toMatchObject(invalid);
      expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 3 });
    },
  );

  test("invalid field names are refused", async () => {
    const chatId = await newChat(db);
    for (const field of ["$where", "a.b", "seq') --", ""]) {
      await expect(db.commit([update(chats, { _id: chatId, [field]: 1 }, { seq: 1 })])).rejects.toMatchObject(invalid);
      await expect(db.commit([update(chats, { _id: chatId }, { [field]: 1 })])).rejects.toMatchObject(invalid);
      await expect(db.commit([insert(chats, { _id: newId(), seq: 1, [field]: 1 })])).rejects.toMatchObject(invalid);
    }
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 0 });
  });

  test("operations that could affect every row are refused: without a condition, a unique key or an index", async () => {
    const chatId = await newChat(db);
    for (const operation of [
      remove(chats, {}),
      updateAll(chats, {}, { seq: 1 }),
      remove(chats, { seq: 0 }),
      update(chats, { seq: 0 }, { seq: 1 }),
      update(messages, { chatId }, { n: 1 }),
      unchanged(users, { email: null }),
      upsert(messages, { chatId }, {}, {}),
      upsert(chats, { _id: chatId, seq: 0 }, {}, {}),
    ])
      await expect(Promise.resolve().then(() => db.commit([operation]))).rejects.toThrow();
    await expect(db.page(messages, { index: "byN", where: { n: 1 }, limit: 1 })).rejects.toThrow();
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 0 });
  });
});
