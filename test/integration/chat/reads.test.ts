/** What a gateway is told that missed changes, while the chat goes on. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { insert, update, type Database } from "../../../core/store/store.ts";
import { chats, members, messages, type ChatRow } from "../../../services/chat/store/collections.ts";
import { changesSince } from "../../../services/chat/reads/repair.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { mongo, sqlite, type StoreAdapter, type TestStore } from "../../support/store/stores.ts";

describeOn(sqlite);
describeOn(mongo);

function describeOn(adapter: StoreAdapter): void {
  describeWith(adapter.needs, `A repair on ${adapter.title}`, () => {
    let opened: TestStore;
    let db: Database;
    beforeAll(async () => {
      opened = await adapter.open();
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
}
