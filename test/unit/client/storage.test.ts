/** Tests that a client saves complete, current records, and nothing of other clients. */
import { describe, expect, test } from "@jest/globals";
import { LocalStorage, MemoryStorage, type Chat, type KeyValues, type Message, type Storage } from "../../../client/index.ts";
import { chatRecordOf, LocalChat } from "../../../client/chats/local-chat.ts";
import { StorageWriter } from "../../../client/storage/storage-writer.ts";
import { clearStorage, loadRecords } from "../../../client/storage/records.ts";
import { chatId, chatOf, me, message } from "../../support/client/documents.ts";
import { eventually } from "../../support/eventually.ts";

/**
 * Makes an area like a browser's localStorage.
 * @param limit  maximum characters of all values together
 */
function areaOf(limit = Infinity): KeyValues {
  const values = new Map<string, string>();
  return {
    get length() {
      return values.size;
    },
    key: (index) => [...values.keys()][index] ?? null,
    getItem: (key) => values.get(key) ?? null,
    setItem(key, value) {
      const others = [...values].filter(([other]) => other !== key).reduce((sum, [, { length }]) => sum + length, 0);
      if (others + value.length > limit) throw new Error("QuotaExceededError");
      values.set(key, value);
    },
    removeItem: (key) => void values.delete(key),
  };
}

describe.each<[string, () => Storage]>([
  ["MemoryStorage", () => new MemoryStorage()],
  ["LocalStorage", () => new LocalStorage("a", areaOf())],
])("%s", (_name, make) => {
  test("returns saved records, and no removed ones", async () => {
    const storage = make();
    const record = { deep: [1, "two", null] };
    await storage.save("one", record);
    record.deep.push("later");
    await storage.save("two", 2);
    await storage.save("two", undefined);
    expect(await storage.load()).toEqual({ one: { deep: [1, "two", null] } });
    await clearStorage(storage);
    expect(await loadRecords(storage)).toEqual({ session: undefined, outbox: [], chats: [] });
  });
});

test("two clients share a browser's localStorage under two names, and leave other entries alone", async () => {
  const area = areaOf();
  area.setItem("theme", "dark");
  area.setItem("a/broken", "{");
  const [a, b] = [new LocalStorage("a", area), new LocalStorage("b", area)];
  a.save("x", 1);
  b.save("x", 2);
  expect([a.load(), b.load()]).toEqual([{ x: 1 }, { x: 2 }]);
  await clearStorage(a);
  expect(area.getItem("theme")).toBe("dark");
  expect(b.load()).toEqual({ x: 2 });
});

test("clearing a storage also removes its records that cannot be read", async () => {
  const area = areaOf();
  area.setItem("a/session", "{");
  area.setItem("a/chat/1", "{");
  const storage = new LocalStorage("a", area);
  expect(await loadRecords(storage)).toEqual({ session: undefined, outbox: [], chats: [] });
  await clearStorage(storage);
  expect(area.length).toBe(0);
});

test("a name with a slash is refused: its records could be those of another name", () => {
  expect(() => new LocalStorage("a/chat", areaOf())).toThrow(TypeError);
});

test("records are written one at a time, each with its state at that time", async () => {
  const saved: unknown[] = [];
  const gates: (() => void)[] = [];
  let state = 1;
  const storage: Storage = {
    load: () => ({}),
    save: (key, record) => (saved.push([key, record]), new Promise((resolve) => gates.push(resolve))),
  };
  const writer = new StorageWriter(storage, () => state);
  writer.markDirty("a", true);
  await eventually("the first is being written", () => gates.length === 1);
  state = 2;
  writer.markDirty("a", true);
  state = 3;
  const done = writer.close();
  writer.markDirty("b", true);
  gates[0]!();
  await eventually("the second is being written", () => gates.length === 2);
  gates[1]!();
  await done;
  expect(saved).toEqual([
    ["a", 1],
    ["a", 3],
  ]);
});

test("a full storage keeps its earlier record, and causes no error", async () => {
  const storage = new LocalStorage("a", areaOf(20));
  let text = "short";
  const writer = new StorageWriter(storage, () => text);
  writer.markDirty("a", true);
  await writer.flush();
  text = "x".repeat(100);
  writer.markDirty("a", true);
  await writer.flush();
  expect(storage.load()).toEqual({ a: "short" });
});

test("in a full storage, unsent messages replace as few chats as necessary", async () => {
  const storage = new LocalStorage("a", areaOf(100));
  const records: Record<string, string> = { "chat/1": "x".repeat(25), "chat/2": "y".repeat(25), "chat/3": "z".repeat(25), outbox: "sent" };
  const writer = new StorageWriter(storage, (key) => records[key]);
  for (const key of ["chat/1", "chat/2", "chat/3"]) writer.markDirty(key, true);
  await writer.flush();
  expect(Object.keys(storage.load())).toEqual(["chat/1", "chat/2", "chat/3"]);
  records["outbox"] = "not sent yet".repeat(2);
  writer.markDirty("outbox", true);
  await writer.flush();
  expect(storage.load()).toEqual({ "chat/2": records["chat/2"], "chat/3": records["chat/3"], outbox: records["outbox"] });
  records["chat/1"] = "w".repeat(80);
  writer.markDirty("chat/1", true);
  await writer.flush();
  expect(storage.load()).toMatchObject({ outbox: records["outbox"] });
});

test("after a storage that can be neither written nor read works again, the next changes are written", async () => {
  const memory = new MemoryStorage();
  let isBroken = true;
  const unlessBroken = <T>(work: () => T): T => {
    if (isBroken) throw new Error("InvalidStateError");
    return work();
  };
  const storage: Storage = {
    load: () => unlessBroken(() => memory.load()),
    save: (key, record) => unlessBroken(() => memory.save(key, record)),
  };
  const writer = new StorageWriter(storage, () => "unsent");
  writer.markDirty("outbox");
  await writer.flush();
  isBroken = false;
  writer.markDirty("outbox");
  await writer.flush();
  expect(await storage.load()).toEqual({ outbox: "unsent" });
});

describe("a chat's record", () => {
  const localChatWith = (ns: readonly number[]) => {
    const chat = new LocalChat(chatOf({ _id: chatId }), me);
    for (const n of ns) chat.window.put(message({ n }));
    return chat;
  };
  const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

  test("there is none before the chat has a resume position", () => {
    expect(chatRecordOf(localChatWith([1]))).toBeUndefined();
    expect(chatRecordOf(undefined)).toBeUndefined();
  });

  test("it has the newest messages, counted from the last contiguous one, and the unconfirmed read mark", () => {
    const chat = localChatWith([...numbers(1, 300), 302]);
    chat.seq = 300;
    chat.pendingReadN = 250;
    const record = chatRecordOf(chat)!;
    expect(record.messages.map(({ n }) => n)).toEqual([...numbers(201, 300), 302]);
    expect(record).toMatchObject({ seq: 300, wantedN: 250, chat: { readN: 0 } });
  });
});

/** The fields that a document always has. */
type RequiredKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];

test("a field added to Message or Chat is optional, because documents that clients saved earlier, and those of older nodes, lack it", () => {
  const inMessage: Record<RequiredKeys<Message>, true> = {
    ...{
      _id: true,
      chatId: true,
      senderId: true,
      n: true,
      seq: true,
      kind: true,
      text: true,
      clientId: true,
      replyTo: true,
      reactions: true,
    },
    ...{ readBy: true, readCount: true, createdAt: true, updatedAt: true, editedAt: true, deletedAt: true, __v: true },
  };
  const inChat: Record<RequiredKeys<Chat>, true> = {
    ...{ _id: true, chatType: true, picture: true, participants: true, admins: true, members: true, memberCount: true, lastMessage: true },
    ...{ lastMessagePreview: true, lastN: true, lastSeq: true, createdAt: true, updatedAt: true, __v: true },
    ...{ title: true, unread: true, readN: true, joinedN: true, muted: true, mutedUntil: true, archived: true, pinned: true },
  };
  expect(Object.keys(message({ n: 1 })).sort()).toEqual(Object.keys(inMessage).sort());
  expect(Object.keys(chatOf()).sort()).toEqual(Object.keys(inChat).sort());
});
