/** Tests that a client's chats end up as the server's, in whatever order answers and events arrive. */
import { describe, expect, test } from "@jest/globals";
import { Chats, type ChatEvents } from "../../../client/chats/chats.ts";
import type { SyncAnswer } from "../../../client/index.ts";
import { chatId, chatOf, me, member, message, other, sharedOf } from "../../support/client/documents.ts";
import { ServerModel } from "../../support/client/server-model.ts";
import { seeded } from "../../support/random.ts";

const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Makes chats that have one chat with these messages, synced up to the last of them. */
function chatsWith(ns: readonly number[], rest: Parameters<typeof chatOf>[0] = {}) {
  const emitted: [keyof ChatEvents, unknown][] = [];
  const pendingIds = new Set<string>();
  const chats = new Chats({
    myId: me,
    emit: (event, data) => emitted.push([event, data]),
    confirmSent: ({ clientId }) => pendingIds.delete(clientId),
    onDirty: () => undefined,
  });
  const last = ns.at(-1) ?? 0;
  const query = chats.syncQuery();
  const messages = ns.map((n) => message({ n }));
  chats.applyAnswer(
    query,
    answerOf({ chats: [chatOf({ lastN: last, lastSeq: last, ...rest })], messages: { [chatId]: messages }, seq: { [chatId]: last } }),
  );
  chats.markSynced();
  emitted.length = 0;
  const events = <K extends keyof ChatEvents>(name: K) =>
    emitted.filter(([event]) => event === name).map(([, data]) => data as ChatEvents[K]);
  return { chats, local: () => chats.get(chatId)!, events, pendingIds };
}

const answerOf = (rest: Partial<SyncAnswer>): SyncAnswer => ({
  chats: [],
  messages: {},
  seq: {},
  more: [],
  removed: [],
  reset: [],
  receipts: {},
  own: {},
  ...rest,
});

test("settings changed elsewhere need a sync: of two concurrent changes, the older may arrive last", () => {
  const { chats, local } = chatsWith([1, 2]);
  expect(chats.onChatChanged(chatOf({ lastN: 2, lastSeq: 2 }))).toBe(false);
  expect(chats.onChatChanged(chatOf({ lastN: 2, lastSeq: 2, pinned: true }))).toBe(true);
  expect(local().view.pinned).toBe(true);
  expect(chats.onChatChanged(chatOf({ lastN: 2, lastSeq: 2, pinned: true }))).toBe(false);
});

describe("the resume position", () => {
  test("a live message advances it, and an older state of a known message does not", () => {
    const { chats, local } = chatsWith([1, 2]);
    expect(chats.onMessage(message({ n: 3 }))).toBe(false);
    expect(local().seq).toBe(3);
    chats.onMessage(message({ n: 2, seq: 2 }));
    expect(local().seq).toBe(3);
  });

  test("a message that arrives before an earlier one is shown and needs a sync, but does not advance it", () => {
    const { chats, local, events } = chatsWith([1, 2]);
    expect(chats.onMessage(message({ n: 4 }))).toBe(true);
    expect(local().seq).toBe(2);
    expect(events("message")).toMatchObject([{ n: 4 }]);
    const query = chats.syncQuery();
    expect(query.since).toEqual({ [chatId]: 2 });
    chats.applyAnswer(query, answerOf({ messages: { [chatId]: [message({ n: 3 }), message({ n: 4 })] }, seq: { [chatId]: 4 } }));
    expect(local().seq).toBe(4);
    expect(events("message").map(({ n }: { n: number }) => n)).toEqual([4, 3]);
  });

  test("an acknowledgement does not advance it", () => {
    const { chats, local } = chatsWith([1, 2]);
    chats.applyMessageResponse(message({ n: 4, senderId: me }));
    expect(local().seq).toBe(2);
    chats.onMessage(message({ n: 3 }));
    expect(local().seq).toBe(3);
    chats.onMessage(message({ n: 4, senderId: me }));
    expect(local().seq).toBe(4);
  });

  test("an answer with more sets it to the answer's last change, whatever arrives meanwhile", () => {
    const { chats, local } = chatsWith([1]);
    chats.onDisconnected();
    const query = chats.syncQuery();
    const page = [message({ n: 2 }), message({ n: 3 })];
    expect(chats.applyAnswer(query, answerOf({ messages: { [chatId]: page }, seq: { [chatId]: 3 }, more: [chatId] }))).toBe(true);
    chats.onMessage(message({ n: 1, seq: 9 }));
    expect(local().seq).toBe(3);
  });

  test("after a lost connection, only an answer advances it", () => {
    const { chats, local } = chatsWith([1]);
    chats.onDisconnected();
    chats.onMessage(message({ n: 2 }));
    expect(local().seq).toBe(1);
    chats.applyAnswer(chats.syncQuery(), answerOf({ seq: { [chatId]: 2 } }));
    chats.onMessage(message({ n: 3 }));
    expect(local().seq).toBe(3);
  });

  test("positions ahead of it need a sync", () => {
    const { chats } = chatsWith([1]);
    expect(chats.onPositions({ [chatId]: 1 })).toBe(false);
    expect(chats.onPositions({ [chatId]: 2 })).toBe(true);
    expect(chats.onPositions({ ["d".repeat(24)]: 0 })).toBe(true);
  });

  test("a message of an unknown chat needs a sync", () => {
    expect(chatsWith([1]).chats.onMessage(message({ n: 1, chatId: "d".repeat(24) }))).toBe(true);
  });
});

describe("joining and leaving", () => {
  test("an answer from before the user was removed does not bring the chat back", () => {
    const { chats, events } = chatsWith([1]);
    const query = chats.syncQuery();
    chats.removeChat(chatId);
    const late = answerOf({ chats: [chatOf()], messages: { [chatId]: [message({ n: 2 })] }, seq: { [chatId]: 2 } });
    expect(chats.applyAnswer(query, late)).toBe(true);
    expect(chats.get(chatId)).toBeUndefined();
    expect(events("chatRemoved")).toEqual([{ chatId }]);
  });

  test("an answer from before the user rejoined does not remove the chat", () => {
    const { chats } = chatsWith([1]);
    const query = chats.syncQuery();
    chats.onChatChanged(chatOf({ lastN: 1, lastSeq: 3 }));
    expect(chats.applyAnswer(query, answerOf({ removed: [chatId] }))).toBe(true);
    expect(chats.get(chatId)).toBeDefined();
  });

  test("a message of an unknown chat, received before the answer that brings the chat, does not count as synced", () => {
    const unknown = "d".repeat(24);
    const { chats } = chatsWith([1]);
    const query = chats.syncQuery();
    chats.onMessage(message({ n: 1, seq: 2, chatId: unknown }));
    const early = answerOf({
      chats: [chatOf({ _id: unknown })],
      messages: { [unknown]: [message({ n: 1, chatId: unknown })] },
      seq: { [unknown]: 1 },
    });
    expect(chats.applyAnswer(query, early)).toBe(true);
    chats.onMessage(message({ n: 2, seq: 3, chatId: unknown }));
    expect(chats.syncQuery().since).toEqual({ [chatId]: 1 });
  });

  test("a message sent in a new chat stays when an older answer brings the chat", () => {
    const { chats } = chatsWith([]);
    const newChatId = "e".repeat(24);
    chats.onChatChanged(chatOf({ _id: newChatId, lastN: 0, lastSeq: 1 }));
    const query = chats.syncQuery();
    chats.applyMessageResponse(message({ chatId: newChatId, n: 1, seq: 2 }));
    chats.applyAnswer(
      query,
      answerOf({ chats: [chatOf({ _id: newChatId, lastN: 0, lastSeq: 1 })], messages: { [newChatId]: [] }, seq: { [newChatId]: 1 } }),
    );
    chats.onMessage(message({ chatId: newChatId, n: 2, seq: 3 }));
    expect(chats.get(newChatId)!.window.messages.map(({ n }) => n)).toEqual([1, 2]);
    expect(chats.get(newChatId)!.hasOlder).toBe(false);
  });

  test("a chat that the server does not know is removed", () => {
    const { chats } = chatsWith([1]);
    chats.applyAnswer(chats.syncQuery(), answerOf({ removed: [chatId] }));
    chats.onChatChanged(chatOf());
    expect(chats.get(chatId)).toBeDefined();
    chats.applyAnswer(chats.syncQuery(), answerOf({}));
    expect(chats.get(chatId)).toBeUndefined();
  });

  test("a user who is added again keeps no earlier messages", () => {
    const { chats, local, events } = chatsWith([1, 2, 3]);
    chats.onDisconnected();
    const rejoined = chatOf({ lastN: 9, lastSeq: 12, joinedN: 7, members: [member(me, { joinedN: 7 }), member(other)] });
    const messages = { [chatId]: [message({ n: 8, seq: 11 }), message({ n: 9, seq: 12 })] };
    chats.applyAnswer(chats.syncQuery(), answerOf({ chats: [rejoined], messages, seq: { [chatId]: 12 }, reset: [chatId] }));
    expect(local().window.messages.map(({ n }) => n)).toEqual([8, 9]);
    expect(local().hasOlder).toBe(false);
    expect(events("chatReset")).toEqual([{ chatId }]);
  });

  test.each(["with", "without"])(
    "after the server was restored from a backup, messages that it lost are removed, %s the chat in its answer",
    (how) => {
      const readers = [member(me), member(other, { deliveredN: 5, readN: 5 })];
      const { chats, local } = chatsWith([1, 2, 3, 4, 5], { members: readers });
      chats.onDisconnected();
      const restored = chatOf({ lastN: 3, lastSeq: 3000, members: [member(me), member(other, { readN: 2 })] });
      const page = { messages: { [chatId]: [1, 2, 3].map((n) => message({ n })) }, seq: { [chatId]: 3000 }, reset: [chatId] };
      if (how === "without") {
        expect(chats.applyAnswer(chats.syncQuery(), answerOf({ more: [chatId], reset: [chatId] }))).toBe(true);
        expect(local().window.messages).toEqual([]);
        expect(chats.syncQuery()).toEqual({ since: {}, unsynced: [chatId] });
      }
      chats.onMessage(message({ n: 4, seq: 3001, text: "written since" }));
      chats.applyAnswer(chats.syncQuery(), answerOf({ chats: [restored], ...page }));
      expect(local().window.messages.map(({ n, text }) => `${n} ${text}`)).toEqual([
        "1 message 1",
        "2 message 2",
        "3 message 3",
        "4 written since",
      ]);
      expect(local().view).toMatchObject({ lastN: 4, lastSeq: 3001, members: [{ readN: 0 }, { deliveredN: 0, readN: 2 }] });
      expect(local().seq).toBe(3000);
    },
  );

  test("a reset drops a read mark that the server never received", () => {
    const { chats, local } = chatsWith([1, 2, 3]);
    chats.markRead(chatId, 3);
    expect(local().view.readN).toBe(3);
    chats.onDisconnected();
    const rejoined = chatOf({ lastN: 9, lastSeq: 12, joinedN: 8 });
    chats.applyAnswer(chats.syncQuery(), answerOf({ chats: [rejoined], seq: { [chatId]: 12 }, reset: [chatId] }));
    expect(local().view.readN).toBe(0);
  });
});

describe("views", () => {
  test("a pending message of the user's changes its state on the first response or event, and is not announced as new", () => {
    for (const method of ["onMessage", "applyMessageResponse"] as const) {
      const { chats, events, pendingIds } = chatsWith([1]);
      pendingIds.add("mine");
      const stored = message({ n: 2, senderId: me, clientId: "mine" });
      chats[method](stored);
      chats.applyMessageResponse(stored);
      chats.onMessage(stored);
      expect(events("message")).toEqual([]);
      expect(events("messageChanged")).toMatchObject([{ n: 2, state: "sent" }]);
      expect(pendingIds.size).toBe(0);
    }
  });

  test("a chat with shared fields only keeps the user's own fields; a direct chat keeps its title", () => {
    const { chats, local } = chatsWith([1], { title: "Ben Example", muted: true, unread: 1 });
    const shared = sharedOf({
      lastSeq: 2,
      lastN: 1,
      picture: "/p",
    });
    chats.onChatChanged(shared);
    expect(local().view).toMatchObject({ title: "Ben Example", muted: true, unread: 1, picture: "/p" });
  });

  test("a group's new name becomes its title; an older view changes nothing", () => {
    const { chats, local } = chatsWith([1], { chatType: "group", name: "Old", title: "Old" });
    chats.onChatChanged(chatOf({ chatType: "group", name: "New", title: "New", lastSeq: 5, lastN: 1 }));
    const old = sharedOf({ chatType: "group", name: "Old", lastSeq: 4, lastN: 1 });
    chats.onChatChanged(old);
    expect(local().view).toMatchObject({ name: "New", title: "New" });
  });

  test("unread counts other people's messages after the user's mark, up to 100, without system messages", () => {
    const { chats, local } = chatsWith([]);
    for (const n of numbers(1, 3)) chats.onMessage(message({ n }));
    chats.onMessage(message({ n: 4, senderId: me }));
    chats.onMessage(message({ n: 5, kind: "system" }));
    expect(local().view.unread).toBe(3);
    chats.onReceipt({ chatId, userId: me, deliveredN: 0, readN: 2 });
    expect(local().view.unread).toBe(1);
    for (const n of numbers(6, 200)) chats.onMessage(message({ n }));
    expect(local().view.unread).toBe(100);
  });

  test("if the window does not reach the read mark, unread is the server's count plus later messages", () => {
    const { chats, local } = chatsWith(numbers(51, 100), { unread: 80, lastN: 100, lastSeq: 100 });
    expect(local().view.unread).toBe(80);
    chats.onMessage(message({ n: 101 }));
    expect(local().view.unread).toBe(81);
    const shared = sharedOf({ lastSeq: 102, lastN: 101 });
    chats.onChatChanged(shared);
    expect(local().view.unread).toBe(81);
    chats.onReadConfirmed(chatId, 60, 41);
    expect(local().view.unread).toBe(41);
  });

  test("the preview is the current state of the last message", () => {
    const { chats, local } = chatsWith([1]);
    chats.onMessage(message({ n: 2, text: "x".repeat(200) }));
    expect(local().view).toMatchObject({ lastN: 2, lastSeq: 2, lastMessagePreview: { n: 2, text: "x".repeat(100) } });
    chats.onMessage(message({ n: 2, seq: 3, text: "short" }));
    expect(local().view).toMatchObject({ lastSeq: 3, lastMessagePreview: { n: 2, text: "short" } });
    const file = { _id: "f".repeat(24), url: "/f", name: "photo.jpg", mimeType: "image/jpeg", size: 1 };
    chats.onMessage(message({ n: 3, seq: 4, kind: "file", text: "", file }));
    expect(local().view.lastMessagePreview).toMatchObject({ n: 3, kind: "file", text: "photo.jpg" });
  });

  test("receipts make the user's own messages delivered, then read, and list readers by seniority", () => {
    const third = "d".repeat(24);
    const members = [member(other), member(me), member(third, { joinedN: 1 })];
    const { chats, local, events } = chatsWith([], { chatType: "group", members });
    for (const n of [1, 2]) chats.onMessage(message({ n, senderId: me, readBy: [me] }));
    const states = () => local().window.messages.map((one) => chats.messageView(local(), one));
    chats.onReceipt({ chatId, userId: other, deliveredN: 2, readN: 1 });
    expect(states()).toMatchObject([
      { state: "read", readBy: [me, other], readCount: 2 }, // the third was not there yet
      { state: "sent", readBy: [me], readCount: 1 },
    ]);
    chats.onReceipt({ chatId, userId: third, deliveredN: 2, readN: 0 });
    expect(states()[1]).toMatchObject({ state: "delivered" });
    chats.onReceipt({ chatId, userId: third, deliveredN: 2, readN: 2 });
    chats.onReceipt({ chatId, userId: other, deliveredN: 1, readN: 2 });
    expect(states()[1]).toMatchObject({ state: "read", readBy: [me, other, third], readCount: 3 });
    expect(events("messageChanged").map(({ n, state }: { n: number; state: string }) => `${n} ${state}`)).toEqual([
      "1 read",
      "2 delivered",
      "2 read",
    ]);
  });

  test("other people's messages are always sent, even after the user has read them", () => {
    const { chats, local } = chatsWith([1]);
    chats.onReceipt({ chatId, userId: me, deliveredN: 1, readN: 1 });
    expect(chats.messageView(local(), local().window.messages[0]!)).toMatchObject({ senderId: other, state: "sent" });
  });
});

describe("random runs", () => {
  const first = Date.now() % 1_000_000;
  test.each(numbers(first, first + 29))("seed %i: no message up to the resume position is missing, and in the end none at all", (seed) => {
    const model = new ServerModel(seeded(seed), 4);
    for (let step = 0; step < 1000; step++) {
      model.step();
      const missing = model.serverChats.flatMap((serverChat) => model.missing(serverChat));
      if (missing.length > 0) expect({ step, missing }).toEqual({ step, missing: [] });
    }
    model.deliverAll();
    for (const serverChat of model.serverChats) {
      const local = model.chats.get(serverChat.chatId);
      expect(local !== undefined).toBe(model.isMember(serverChat));
      if (local === undefined) continue;
      expect(local.seq).toBe(serverChat.seq);
      expect(local.window.first).toBeGreaterThan(serverChat.membership!.joinedN);
      expect(local.window.messages).toEqual(serverChat.messages.filter(({ n }) => n >= local.window.first!));
    }
    const news = model.emittedEvents.filter(({ event }) => event === "message");
    const comings = model.emittedEvents.filter(({ event }) => event === "chatReset" || event === "chatRemoved");
    if (comings.length === 0) expect(new Set(news.map(({ chatId, n }) => `${chatId} ${n}`)).size).toBe(news.length);
  });
});
