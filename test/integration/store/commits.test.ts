/** Tests what core/store/store.ts guarantees about commits, on every adapter: all or nothing, concurrent, durable. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { insert, update, upsert, expect as unchanged, storeTime, type Database } from "../../../core/store/store.ts";
import {
  all,
  chats,
  conflict,
  duplicate,
  message,
  messages,
  messagesOf,
  newChat,
  outcomesOf,
  users,
} from "../../support/store/collections.ts";
import { openStoreAt, type TestStore } from "../../support/store/stores.ts";
import { describeStores } from "../../support/systems/describe-with.ts";

describeStores("The store", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("chat", all);
  });
  afterAll(() => opened.remove());

  test("a commit writes all of its operations", async () => {
    const chatId = await newChat(db);
    await db.commit([
      update(chats, { _id: chatId, seq: 0 }, { seq: 1 }),
      insert(messages, message(chatId, 1)),
      insert(messages, message(chatId, 2)),
    ]);
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 1 });
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual([1, 2]);
  });

  test("concurrent changes of one row all succeed with commitWithRetry", async () => {
    const chatId = await newChat(db);
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
    // A retry gives up after 4 s, and a slow disk may need long for each commit before the last.
    const concurrent = Math.min(8, Math.max(2, Math.floor(1500 / (performance.now() - began))));
    const seen = await Promise.all(Array.from({ length: concurrent }, add));
    expect(seen.map(({ outcome }) => outcome).sort((a, b) => a - b)).toEqual(Array.from({ length: concurrent }, (_, i) => i + 1));
  });

  test("a decision from before the process was paused is not committed afterwards", async () => {
    const chatId = await newChat(db);
    const rename = (seq: number, pauseProcess = () => undefined as unknown) =>
      commitWithRetry(db, async () => {
        await db.get(chats, chatId);
        pauseProcess();
        return { operations: [update(chats, { _id: chatId }, { seq })], outcome: seq };
      });
    const now = performance.now.bind(performance);
    const late = rename(1, () => jest.spyOn(performance, "now").mockImplementation(() => now() + 4001));
    await expect(late).rejects.toMatchObject({ type: "UNAVAILABLE" });
    jest.restoreAllMocks();
    await rename(2);
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 2 });
  });

  test("a commit whose last operation fails writes nothing", async () => {
    const chatId = await newChat(db);
    await db.commit([insert(messages, message(chatId, 2))]);
    const first = [update(chats, { _id: chatId }, { seq: 1 }), insert(messages, message(chatId, 1))];
    await expect(db.commit([...first, insert(messages, message(chatId, 2))])).rejects.toMatchObject(duplicate("messages", "byN"));
    await expect(db.commit([...first, update(chats, { _id: newId() }, { seq: 1 })])).rejects.toMatchObject(conflict);
    await expect(db.commit([...first, unchanged(chats, { _id: chatId, seq: 7 })])).rejects.toMatchObject(conflict);
    expect(await db.get(chats, chatId)).toEqual({ _id: chatId, seq: 0 });
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual([2]);
  });

  test("of concurrent commits, only the one with an unmet expectation fails", async () => {
    const chatId = await newChat(db);
    const commits = Array.from({ length: 20 }, (_, i) => [
      insert(messages, message(chatId, i)),
      unchanged(chats, { _id: chatId, seq: i === 7 ? 1 : 0 }),
    ]);
    const { succeeded, failures } = await outcomesOf(db, commits);
    expect(succeeded).toBe(19);
    expect(failures).toEqual([expect.objectContaining(conflict)]);
    expect((await messagesOf(db, chatId)).map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, i) => i).filter((n) => n !== 7));
  });

  test("of two commits that each expect the row that the other writes, exactly one succeeds", async () => {
    for (let round = 0; round < 20; round++) {
      const [a, b] = [await newChat(db), await newChat(db)];
      const { succeeded, failures } = await outcomesOf(db, [
        [unchanged(chats, { _id: a, seq: 0 }), update(chats, { _id: b }, { seq: 1 })],
        [unchanged(chats, { _id: b, seq: 0 }), update(chats, { _id: a }, { seq: 1 })],
      ]);
      expect(succeeded).toBe(1);
      expect(failures).toEqual([expect.objectContaining(conflict)]);
    }
  });

  test("an update that changes nothing still conflicts with other commits", async () => {
    for (let round = 0; round < 20; round++) {
      const [a, b] = [await newChat(db), await newChat(db)];
      const { succeeded } = await outcomesOf(db, [
        [update(chats, { _id: a, seq: 0 }, { seq: 0 }), update(chats, { _id: b }, { seq: 1 })],
        [update(chats, { _id: b, seq: 0 }, { seq: 0 }), update(chats, { _id: a }, { seq: 1 })],
      ]);
      expect(succeeded).toBe(1);
    }
  });

  test("50 concurrent compare-and-set writers lose no update", async () => {
    const chatId = await newChat(db);
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

  test("a read that begins after a commit has returned sees its changes", async () => {
    const chatId = await newChat(db);
    for (let seq = 1; seq <= 50; seq++) {
      await db.commit([update(chats, { _id: chatId }, { seq })]);
      expect((await db.get(chats, chatId))!.seq).toBe(seq);
    }
  });

  test("a commit has one time, from the store's clock, and returns it", async () => {
    const [chatId, email] = [await newChat(db), `${newId()}@example.org`];
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

  test("each service has its own database", async () => {
    const other = await opened.store.open("other", all);
    const chatId = await newChat(db);
    expect(await other.get(chats, chatId)).toBeUndefined();
  });

  test("an open store is healthy", async () => {
    expect(await opened.store.health()).toEqual({ ok: true });
  });
});

describeStores("The store", (open) => {
  test("a commit that has returned survives the kill of its process", async () => {
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
