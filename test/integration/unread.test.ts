/** How many messages someone has not read: counted over an index, and no dearer after a long history. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../core/ids.ts";
import { insert, type Database } from "../../core/store/store.ts";
import { unreadCount } from "../../services/chat/store/repository.ts";
import { messages, type MemberRow } from "../../services/chat/store/collections.ts";
import { describeWith } from "../support/systems/describe-with.ts";
import { mongo, sqlite, type StoreAdapter, type TestStore } from "../support/store/stores.ts";

describeOn(sqlite);
describeOn(mongo);

function describeOn(adapter: StoreAdapter): void {
  describeWith(adapter.needs, `Unread messages on ${adapter.title}`, () => {
    let opened: TestStore;
    let db: Database;
    beforeAll(async () => {
      opened = await adapter.open();
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

    test("are those of others after the mark and after one joined, up to 100", async () => {
      const chatId = await chatOf(["system", "ada", "ben", "ada", "cleo", "system", ...many("ben", 130)]);
      expect(await unread(chatId, "ada", 130)).toBe(6);
      expect(await unread(chatId, "ada", 0, 134)).toBe(2);
      expect(await unread(chatId, "ben", 3)).toBe(2);
      expect(await unread(chatId, "ada")).toBe(100);
      expect(await unread(chatId, "cleo", 136)).toBe(0);
    });

    test("are the same after a monologue of one's own", async () => {
      const chatId = await chatOf(["system", "ben", ...many("ada", 1500), "ben", "cleo", "system", ...many("ada", 20)]);
      expect(await unread(chatId, "ada")).toBe(3);
      expect(await unread(chatId, "ada", 2)).toBe(2);
      expect(await unread(chatId, "ada", 1503)).toBe(1);
      expect(await unread(chatId, "ben", 2)).toBe(100);
      const crowd = await chatOf([...many("ada", 1200), ...many("ben", 70), ...many("cleo", 70)]);
      expect(await unread(crowd, "ada")).toBe(100);
    });
  });
}
