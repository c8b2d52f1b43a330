/** Tests reads while a chat changes: the repair of missed changes, and the unread counts. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { insert, update, type Database } from "../../../core/store/store.ts";
import { chats, members, messages, type ChatRow, type MemberRow } from "../../../services/chat/store/collections.ts";
import { unreadCount } from "../../../services/chat/store/repository.ts";
import { changesSince } from "../../../services/chat/reads/repair.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import type { TestStore } from "../../support/store/stores.ts";

describeStores("A repair", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("chat", [chats, members, messages]);
  });
  afterAll(() => opened.remove());

  async function chatOf(count: number): Promise<string> {
    const chatId = newId();
    const head = { _id: chatId, n: count, seq: count, sharedSeq: 0, memberCount: 2 } as ChatRow;
    const rows = Array.from({ length: count }, (_, i) => ({
      ...{ _id: newId(), chatId, n: i + 1, seq: i + 1, kind: "text" as const, authorId: "ada", senderId: "ada" },
      ...{ clientId: newId(), bodyHash: "", text: "x", replyTo: null, createdAt: 0, editedAt: null, deletedAt: null },
    }));
    await db.commit([insert(chats, head), ...rows.map((row) => insert(messages, row))]);
    return chatId;
  }
  /** The database, but a message changes after the first read of the head and before the read of the messages. */
  function changing(chatId: string, n: number, seq: number): Database {
    const changed: Database = Object.create(db) as Database;
    changed.page = async (collection, query) => {
      if (collection.name === messages.name)
        await db.commit([update(chats, { _id: chatId }, { seq }), update(messages, { chatId, n }, { seq })]);
      return db.page(collection, query);
    };
    return changed;
  }

  test("has every message that it counts, also one that changes while it is read", async () => {
    const chatId = await chatOf(3);
    const found = await changesSince(changing(chatId, 2, 4), chatId, 0);
    expect(found).toMatchObject({ seq: 4, n: 3, more: false });
    expect(found.changes.map(({ n, seq }) => [n, seq])).toEqual([
      [1, 1],
      [3, 3],
      [2, 4],
    ]);
  });

  test("says that there is more when such a message has moved beyond the page", async () => {
    const chatId = await chatOf(201);
    const found = await changesSince(changing(chatId, 7, 202), chatId, 0);
    expect(found).toMatchObject({ seq: 201, more: true });
    const rest = await changesSince(db, chatId, 201);
    expect(rest).toMatchObject({ seq: 202, n: 201, more: false, changes: [{ n: 7, seq: 202 }] });
  });
});

describeStores("Unread messages", (open) => {
  let opened: TestStore;
  let db: Database;
  beforeAll(async () => {
    opened = await open();
    db = await opened.store.open("chat", [messages]);
  });
  afterAll(() => opened.remove());

  /** A chat with these authors' messages, in this order. */
  async function chatOf(authors: readonly string[]): Promise<string> {
    const chatId = newId();
    const rows = authors.map((authorId, i) => ({
      ...{ _id: newId(), chatId, n: i + 1, seq: i + 1, kind: "text" as const, authorId, senderId: authorId },
      ...{ clientId: newId(), bodyHash: "", text: "x", replyTo: null, createdAt: 0, editedAt: null, deletedAt: null },
    }));
    for (let at = 0; at < rows.length; at += 500) await db.commit(rows.slice(at, at + 500).map((row) => insert(messages, row)));
    return chatId;
  }
  const unread = async (chatId: string, userId: string, readN = 0, joinedN = 0): Promise<number> => {
    const [last] = await db.page(messages, { index: "byN", where: { chatId }, order: "desc", limit: 1 });
    return unreadCount(db, { chatId, userId, readN, joinedN } as MemberRow, last!.n);
  };
  const many = (author: string, count: number) => Array<string>(count).fill(author);

  test("are other people's messages after the read watermark and the join, up to 100", async () => {
    const chatId = await chatOf(["system", "ada", "ben", "ada", "cleo", "system", ...many("ben", 130)]);
    expect(await unread(chatId, "ada", 130)).toBe(6);
    expect(await unread(chatId, "ada", 0, 134)).toBe(2);
    expect(await unread(chatId, "ben", 3)).toBe(2);
    expect(await unread(chatId, "ada")).toBe(100);
    expect(await unread(chatId, "cleo", 136)).toBe(0);
  });

  test("are the same after a long run of the reader's own messages", async () => {
    const chatId = await chatOf(["system", "ben", ...many("ada", 1500), "ben", "cleo", "system", ...many("ada", 20)]);
    expect(await unread(chatId, "ada")).toBe(3);
    expect(await unread(chatId, "ada", 2)).toBe(2);
    expect(await unread(chatId, "ada", 1503)).toBe(1);
    expect(await unread(chatId, "ben", 2)).toBe(100);
    const crowd = await chatOf([...many("ada", 1200), ...many("ben", 70), ...many("cleo", 70)]);
    expect(await unread(crowd, "ada")).toBe(100);
  });
});
