/** Tests sync: clients that were away get what they missed, in answers of limited size, over HTTP and sockets. */
import { expect, test } from "@jest/globals";
import type { Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const ns = (messages: { n: number }[] | undefined) => messages?.map(({ n }) => n);

async function fill(who: Person, chatId: string, count: number, tail = ""): Promise<void> {
  const line = await who.connect();
  await Promise.all(numbers(1, count).map((i) => line.callOrThrow("sendMessage", { chatId, text: `message ${i}${tail}` })));
  line.close();
}

/** Syncs until `more` is empty. @returns all messages by chat, and the last positions */
async function drain(who: Person, since: Record<string, number>) {
  const messages: Record<string, { n: number; seq: number }[]> = {};
  let at = { ...since };
  for (let round = 0; round < 50; round++) {
    const { body } = await who.post("/chat/sync", { since: at });
    for (const [chatId, page] of Object.entries<{ n: number; seq: number }[]>(body.messages)) (messages[chatId] ??= []).push(...page);
    at = { ...at, ...body.seq };
    if (body.more.length === 0) return { messages, at };
  }
  throw new Error("`more` is not empty after 50 rounds");
}

story("Sync", (world) => {
  test("a chat without a given position is answered with its newest 50 messages and its head", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 60);
    const { status, body } = await b.post("/chat/sync", { since: {} });
    expect(status).toBe(200);
    expect(body).toMatchObject({ chats: [{ _id: chatId, lastN: 60, unread: 60 }], more: [], removed: [], reset: [] });
    expect(ns(body.messages[chatId])).toEqual(numbers(11, 60));
    expect(body.seq[chatId]).toBe(body.chats[0].lastSeq);
  });

  test("a chat with a given position is answered with the changes after it, and with none if nothing changed", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 3);
    const { seq } = (await b.post("/chat/sync", { since: {} })).body;
    expect((await b.post("/chat/sync", { since: seq })).body).toMatchObject({ messages: {}, seq, more: [] });
    await a.post("/chat/messages", { chatId, text: "news" });
    const { body } = await b.post("/chat/sync", { since: seq });
    expect(body.messages[chatId]).toMatchObject([{ n: 4, text: "news" }]);
    expect(body.seq[chatId]).toBeGreaterThan(seq[chatId]);
  });

  test("an answer has at most 200 changes of a chat, and further syncs bring the rest, each change once", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 450);
    const first = (await b.post("/chat/sync", { since: { [chatId]: 0 } })).body;
    expect(first.more).toEqual([chatId]);
    expect(first.messages[chatId]).toHaveLength(200);
    expect(first.seq[chatId]).toBe(first.messages[chatId].at(-1).seq);
    const { messages } = await drain(b, { [chatId]: 0 });
    expect(ns(messages[chatId])).toEqual(numbers(1, 450));
  });

  test("long texts are spread over more answers, to keep each small for slow connections, but not those of a chat without a position", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 70, "x".repeat(9900));
    const first = (await b.post("/chat/sync", { since: { [chatId]: 0 } })).body;
    expect(first.more).toEqual([chatId]);
    expect(JSON.stringify(first).length).toBeLessThan(600_000);
    expect(first.seq[chatId]).toBe(first.messages[chatId].at(-1).seq);
    expect(ns((await drain(b, { [chatId]: 0 })).messages[chatId])).toEqual(numbers(1, 70));

    const fresh = (await b.post("/chat/sync", { since: {} })).body;
    expect(ns(fresh.messages[chatId])).toEqual(numbers(21, 70));
    expect(fresh.more).toEqual([]);
  });

  test("an answer has at most 1,000 changes in all, and a chat that did not fit is in `more` without a position", async () => {
    const a = await world.person();
    const chatIds = await Promise.all(
      numbers(1, 6).map(async () => {
        const other = await world.person();
        await world.befriend(a, other);
        const { _id } = (await a.post("/chat/create-direct", { receiverId: other.id })).body;
        await fill(other, _id, 200);
        return _id as string;
      }),
    );
    const since = Object.fromEntries(chatIds.map((id) => [id, 0]));
    const { body } = await a.post("/chat/sync", { since });
    const counts = Object.values<unknown[]>(body.messages).map((page) => page.length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(1000);
    expect(Math.max(...counts)).toBeLessThanOrEqual(200);
    const unreached = chatIds.filter((id) => !(id in body.seq));
    expect(unreached.length).toBeGreaterThan(0);
    for (const id of unreached) expect(body.more).toContain(id);
    const { messages } = await drain(a, since);
    for (const id of chatIds) expect(ns(messages[id])).toEqual(numbers(1, 200));
  });

  test("a chat whose given position is beyond its end is in `reset`, and is answered as if no position was given", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 3);
    const line = await b.connect();
    const payload = { since: { [chatId]: 5000 } };
    const answers = [
      (await b.post("/chat/sync", payload)).body,
      await line.callOrThrow("sync", payload),
      await line.callOrThrow("subscribe", payload),
    ];
    for (const answer of answers) {
      expect(answer.reset).toEqual([chatId]);
      expect(ns(answer.messages[chatId])).toEqual([1, 2, 3]);
      expect(answer.seq[chatId]).toBe(answer.chats[0].lastSeq);
    }
    await a.post("/chat/messages", { chatId, text: "news" });
    expect(await line.waitFor("receiveMessage")).toMatchObject({ n: 4 });
  });

  test("a chat that the user is not in is in `removed`, whether it exists or not", async () => {
    const { chatId } = await world.pair();
    const stranger = await world.person();
    const { body } = await stranger.post("/chat/sync", { since: { [chatId]: 0, [nobody]: 3 } });
    expect([...body.removed].sort()).toEqual([chatId, nobody].sort());
    expect(body).toMatchObject({ chats: [], messages: {} });
  });

  test("sync over a socket answers the same as over HTTP, and subscribe delivers events from where its answer ends", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 30);
    const line = await b.connect();
    const bySocket = await line.callOrThrow("sync", { since: { [chatId]: 0 } });
    expect(bySocket).toEqual((await b.post("/chat/sync", { since: { [chatId]: 0 } })).body);
    const writing = fill(a, chatId, 100);
    const answer = await line.callOrThrow("subscribe", { since: { [chatId]: 0 } });
    await writing;
    const read = ns(answer.messages[chatId])!;
    const received = await line.waitForCount("receiveMessage", 130 - read.length);
    expect([...read, ...ns(received)!]).toEqual(numbers(1, 130));
  });

  test.each([
    ["is not an object", 7],
    ["has a position that is not a number", { "0123456789abcdef01234567": "all" }],
    ["has a negative position", { "0123456789abcdef01234567": -1 }],
    ["has a malformed chat id", { nonsense: 1 }],
  ])("a `since` that %s is refused", async (_what, since) => {
    const a = await world.person();
    expect(await a.post("/chat/sync", { since })).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    expect(await (await a.connect()).call("sync", { since })).toMatchObject({ ok: false, error: { code: "VALIDATION" } });
  });
});
