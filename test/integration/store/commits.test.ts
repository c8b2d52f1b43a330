/** What core/store/store.ts promises, held against both adapters. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import * as change from "../../../core/store/store.ts";
import { storeTime, type Database, type Operation } from "../../../core/store/store.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import { all, chats, message, messages, messagesOf, users } from "../../support/store/collections.ts";
import { openStoreAt, type TestStore } from "../../support/store/stores.ts";

const { insert, remove, update, updateAll, upsert } = change;
const conflict = { type: "CONFLICT" };
const duplicate = (collection: string, index: string) => ({ name: "Duplicate", collection, index });
const invalid = { type: "VALIDATION" };

describeStores("The store", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("chat", all);
  });
  afterAll(() => opened.remove());

  const newChat = async (seq = 0): Promise<string> => {
    const _id = newId();
    await db.commit([insert(chats, { _id, seq })]);
    return _id;
  };
  /** How many of these commits happened, and with what the others failed. */
  const outcomes = async (commits: readonly (readonly Operation[])[]) => {
    const settled = await Promise.allSettled(commits.map((operations) => db.commit(operations)));
    const failures = settled.filter((one) => one.status === "rejected").map(({ reason }) => reason as unknown);
    return { happened: settled.length - failures.length, failures };
  };

  test("a commit happens as a whole", async () => {
    const chatId = await newChat();
    await db.commit([
      update(chats, { _id: chatId, seq: 0 }, { seq: 1 }),
      insert(messages, message(chatId, 1)),
      insert(messages, message(chatId, 2)),
    ]);
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 1 });
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual([1, 2]);
  });

  test("all who change one row at once get through", async () => {
    const chatId = await newChat();
    const add = () =>
      commitWithRetry(db, async () => {
        const { seq } = (await db.get(chats, chatId))!;
        return {
          operations: [update(chats, { _id: chatId, seq }, { seq: seq + 1 }), insert(messages, message(chatId, seq + 1))],
          outcome: seq,
        };
      });
    const began = performance.now();
    await add();
    // The last one's patience is 4 s, and the disk may take long for each of those before it.
    const atOnce = Math.min(8, Math.max(2, Math.floor(1500 / (performance.now() - began))));
    const seen = await Promise.all(Array.from({ length: atOnce }, add));
    expect(seen.map(({ outcome }) => outcome).sort((a, b) => a - b)).toEqual(Array.from({ length: atOnce }, (_, i) => i + 1));
  });

  test("what a process judged before it stood still is not committed after", async () => {
    const chatId = await newChat();
    const rename = (seq: number, standStill = () => undefined as unknown) =>
      commitWithRetry(db, async () => {
        await db.get(chats, chatId);
        standStill();
        return { operations: [update(chats, { _id: chatId }, { seq })], outcome: seq };
      });
    const now = performance.now.bind(performance);
    const late = rename(1, () => jest.spyOn(performance, "now").mockImplementation(() => now() + 4001));
    await expect(late).rejects.toMatchObject({ type: "UNAVAILABLE" });
    jest.restoreAllMocks();
    await rename(2);
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 2 });
  });

  test("a commit whose last operation fails leaves nothing", async () => {
    const chatId = await newChat();
    await db.commit([insert(messages, message(chatId, 2))]);
    const first = [update(chats, { _id: chatId }, { seq: 1 }), insert(messages, message(chatId, 1))];
    await expect(db.commit([...first, insert(messages, message(chatId, 2))])).rejects.toMatchObject(duplicate("messages", "byN"));
    await expect(db.commit([...first, update(chats, { _id: newId() }, { seq: 1 })])).rejects.toMatchObject(conflict);
    await expect(db.commit([...first, change.expect(chats, { _id: chatId, seq: 7 })])).rejects.toMatchObject(conflict);
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 0 });
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual([2]);
  });

  test("of commits made at once, an unmet expectation fails alone", async () => {
    const chatId = await newChat();
    const commits = Array.from({ length: 20 }, (_, i) => [
      insert(messages, message(chatId, i)),
      change.expect(chats, { _id: chatId, seq: i === 7 ? 1 : 0 }),
    ]);
    const { happened, failures } = await outcomes(commits);
    expect(happened).toBe(19);
    expect(failures).toEqual([expect.objectContaining(conflict)]);
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, i) => i).filter((n) => n !== 7));
  });

  test("of two commits that each expect the row that the other writes, exactly one happens", async () => {
    for (let round = 0; round < 20; round++) {
      const [a, b] = [await newChat(), await newChat()];
      const { happened, failures } = await outcomes([
        [change.expect(chats, { _id: a, seq: 0 }), update(chats, { _id: b }, { seq: 1 })],
        [change.expect(chats, { _id: b, seq: 0 }), update(chats, { _id: a }, { seq: 1 })],
      ]);
      expect(happened).toBe(1);
      expect(failures).toEqual([expect.objectContaining(conflict)]);
    }
  });

  test("an update that changes nothing still fences off others", async () => {
    for (let round = 0; round < 20; round++) {
      const [a, b] = [await newChat(), await newChat()];
      const { happened } = await outcomes([
        [update(chats, { _id: a, seq: 0 }, { seq: 0 }), update(chats, { _id: b }, { seq: 1 })],
        [update(chats, { _id: b, seq: 0 }, { seq: 0 }), update(chats, { _id: a }, { seq: 1 })],
      ]);
      expect(happened).toBe(1);
    }
  });

  test("of 50 writers that compare and set at once, none is lost", async () => {
    const chatId = await newChat();
    const raise = async (): Promise<void> => {
      for (;;) {
        const { seq } = (await db.get(chats, chatId))!;
        try {
          await db.commit([update(chats, { _id: chatId, seq }, { seq: seq + 1 }), insert(messages, message(chatId, seq + 1))]);
          return;
        } catch (error) {
          expect(error).toMatchObject(conflict);
        }
      }
    };
    await Promise.all(Array.from({ length: 50 }, raise));
    expect((await db.get(chats, chatId))!.seq).toBe(50);
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test("a commit that was answered is seen by every read that begins afterwards", async () => {
    const chatId = await newChat();
    for (let seq = 1; seq <= 50; seq++) {
      await db.commit([update(chats, { _id: chatId }, { seq })]);
      expect((await db.get(chats, chatId))!.seq).toBe(seq);
    }
  });

  test("a taken id or unique key is named", async () => {
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

  test("rows that lack a field of a unique index, or have null there, are outside it", async () => {
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

  test("an upsert adds the row with all it is given, then changes only what it sets", async () => {
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

  test("upserts of one key that race make one row", async () => {
    const [email, other] = [`${newId()}@example.org`, `${newId()}@example.org`];
    const racers = Array.from({ length: 20 }, (_, visits) => visits);
    expect((await outcomes(racers.map((visits) => [upsert(users, { email }, { visits }, {})]))).happened).toBe(20);
    const together = racers.map((visits) => [insert(chats, { _id: newId(), seq: 0 }), upsert(users, { email: other }, { visits }, {})]);
    expect((await outcomes(together)).happened).toBe(20);
    expect(await db.find(users, [{ email }, { email: other }])).toHaveLength(2);
  });

  test("an upsert that would break another unique key is refused", async () => {
    const email = `${newId()}@example.org`;
    await db.commit([insert(users, { _id: newId(), email })]);
    await expect(db.commit([upsert(users, { _id: newId() }, { email }, {})])).rejects.toMatchObject(duplicate("users", "byEmail"));
  });

  test("updateAll and remove reach every row of an index's prefix, and no other", async () => {
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

  test("documents come back as they were written: null stays, undefined goes, nested values are replaced whole", async () => {
    const _id = newId();
    const settings = { $set: { "a.b": 1 }, list: [1, null, "Ωμέγα 🙂"], deep: { x: undefined, y: true } };
    await db.commit([insert(users, { _id, email: null, vip: false, visits: 1.5, settings })]);
    const stored = { $set: { "a.b": 1 }, list: [1, null, "Ωμέγα 🙂"], deep: { y: true } };
    expect(await db.get(users, _id)).toEqual({ _id, email: null, vip: false, visits: 1.5, settings: stored });
    await db.commit([update(users, { _id, vip: false }, { vip: true, visits: null, settings: { text: "$visits" } })]);
    expect(await db.get(users, _id)).toEqual({ _id, email: null, vip: true, visits: null, settings: { text: "$visits" } });
    await db.commit([change.expect(users, { _id, firstSeen: null, visits: null, vip: true })]);
    await expect(db.commit([change.expect(users, { _id, vip: null })])).rejects.toMatchObject(conflict);
  });

  test("one commit has one time, by the store's clock, and returns it", async () => {
    const [chatId, email] = [await newChat(), `${newId()}@example.org`];
    const before = await opened.store.time();
    const { at } = await db.commit([
      update(chats, { _id: chatId }, { changedAt: storeTime }),
      insert(messages, { ...message(chatId, 1), createdAt: storeTime }),
      upsert(users, { email }, {}, { firstSeen: storeTime }),
    ]);
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(await opened.store.time());
    const times = [
      (await db.get(chats, chatId))!.changedAt,
      (await messagesOf(db, chatId))[0]!.createdAt,
      (await db.find(users, [{ email }]))[0]!.firstSeen,
    ];
    expect(times).toEqual([at, at, at]);
    for (const operation of [
      insert(chats, { _id: newId(), seq: 0, changedAt: storeTime }),
      update(chats, { _id: chatId }, { changedAt: storeTime }),
      upsert(chats, { _id: newId() }, { seq: 1, changedAt: storeTime }, {}),
    ]) {
      const alone = await db.commit([operation]);
      expect(await db.page(chats, { index: "byChangedAt", where: { changedAt: alone.at }, limit: 1 })).toHaveLength(1);
    }
  });

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
      const chatId = await newChat(3);
      // eslint-disable-next-line no-restricted-syntax -- what the compiler refuses: it might come from outside
      const hostile = value as never;
      const attempts: (() => Promise<unknown>)[] = [
        () => db.get(chats, hostile),
        () => db.find(users, [{ email: hostile }, { _id: chatId, email: hostile }]),
        () => db.page(messages, { index: "byN", where: { chatId: hostile }, limit: 10 }),
        () => db.page(messages, { index: "byN", where: { chatId }, after: [hostile], limit: 10 }),
        () => db.commit([update(chats, { _id: chatId, seq: hostile }, { seq: 9 })]),
        () => db.commit([updateAll(messages, { chatId: hostile }, { text: "" })]),
        () => db.commit([remove(chats, { _id: hostile })]),
        () => db.commit([change.expect(chats, { _id: chatId, seq: hostile })]),
        () => db.commit([upsert(users, { email: hostile }, {}, {})]),
      ];
      for (const attempt of attempts) await expect(Promise.resolve().then(attempt)).rejects.toMatchObject(invalid);
      expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 3 });
    },
  );

  test("fields that are no names are refused", async () => {
    const chatId = await newChat();
    for (const field of ["$where", "a.b", "seq') --", ""]) {
      await expect(db.commit([update(chats, { _id: chatId, [field]: 1 }, { seq: 1 })])).rejects.toMatchObject(invalid);
      await expect(db.commit([update(chats, { _id: chatId }, { [field]: 1 })])).rejects.toMatchObject(invalid);
      await expect(db.commit([insert(chats, { _id: newId(), seq: 1, [field]: 1 })])).rejects.toMatchObject(invalid);
    }
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 0 });
  });

  test("what could mean every row is refused: no condition, no unique key, no index", async () => {
    const chatId = await newChat();
    for (const operation of [
      remove(chats, {}),
      updateAll(chats, {}, { seq: 1 }),
      remove(chats, { seq: 0 }),
      update(chats, { seq: 0 }, { seq: 1 }),
      update(messages, { chatId }, { n: 1 }),
      change.expect(users, { email: null }),
      upsert(messages, { chatId }, {}, {}),
      upsert(chats, { _id: chatId, seq: 0 }, {}, {}),
    ])
      await expect(Promise.resolve().then(() => db.commit([operation]))).rejects.toThrow();
    await expect(db.page(messages, { index: "byN", where: { n: 1 }, limit: 1 })).rejects.toThrow();
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 0 });
  });

  test("services have databases of their own", async () => {
    const other = await opened.store.open("other", all);
    const chatId = await newChat();
    expect(await other.get(chats, chatId)).toBeUndefined();
  });

  test("health says that it answers", async () => {
    expect(await opened.store.health()).toEqual({ ok: true });
  });
});

describeStores("The store", (open) => {
  test("a commit that was answered is there after its process is killed", async () => {
    const opened = await open();
    const chatId = newId();
    await (await opened.store.open("chat", all)).commit([insert(chats, { _id: chatId, seq: 0 })]);
    await opened.store.close();
    try {
      const writer = spawn(
        process.execPath,
        [fileURLToPath(new URL("../../support/store/writer-process.ts", import.meta.url)), ...opened.location, chatId, "100000"],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      let answered = 0;
      createInterface(writer.stdout).on("line", (line) => {
        answered = Number(line);
        if (answered === 50) writer.kill("SIGKILL");
      });
      await once(writer, "close");
      expect(answered).toBeGreaterThanOrEqual(50);
      const store = await openStoreAt(opened.location);
      const db = await store.open("chat", all);
      const { seq } = (await db.get(chats, chatId))!;
      expect(seq).toBeGreaterThanOrEqual(answered);
      expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
      await store.close();
    } finally {
      await opened.remove();
    }
  });
});
