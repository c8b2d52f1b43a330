/** Messages over HTTP: sending, repeating a send under its clientId, and reading the history in pages. */
import { describe, expect, test } from "@jest/globals";
import { countByStatus, inParallel } from "../../support/concurrent.ts";
import { file, sendFile } from "../../support/files/uploads.ts";
import { by, known, malformed, nobody } from "../../support/people/legacy-client.ts";
import type { ApiResponse, Person } from "../../support/people/person.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

const send = (who: Person, chatId: string, text: string, clientId?: string) =>
  who.post("/chat/messages", { chatId, text, ...(clientId === undefined ? {} : { clientId }) });
const ns = (messages: { n: number }[]) => messages.map(({ n }) => n);
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Sends this many messages to a chat over a socket, without waiting in between. */
async function fill(who: Person, chatId: string, count: number): Promise<void> {
  const line = await who.connect();
  await Promise.all(numbers(1, count).map((i) => line.callOrThrow("sendMessage", { chatId, text: `message ${i}` })));
  line.close();
}

story("Messages", (world) => {
  testNeedsSession(world, [
    ["POST", "/chat/messages"],
    ["POST", "/chat/sync"],
    ["GET", `/chat/messages/${nobody}`],
  ]);

  test("a user who is not a member gets the same answer as for a chat that does not exist", async () => {
    const { chatId } = await world.pair();
    const stranger = await world.person();
    for (const id of [chatId, nobody]) {
      expect(await stranger.get(`/chat/messages/${id}`)).toMatchObject(refusal(403, "FORBIDDEN"));
      expect(await send(stranger, id, "Let me in")).toMatchObject(refusal(403, "FORBIDDEN"));
    }
    expect(await stranger.get(`/chat/messages/${malformed}`)).toMatchObject(refusal(400, "VALIDATION"));
  });

  test("a send answers the message as it is stored and as the other user reads it", async () => {
    const { a, b, chatId } = await world.pair();
    const sent = await send(a, chatId, "  Hello\n", "first");
    expect(sent.status).toBe(201);
    expect(sent.body).toMatchObject({
      _id: expect.stringMatching(/^[0-9a-f]{24}$/),
      chatId,
      senderId: a.id,
      n: 1,
      seq: expect.any(Number),
      kind: "text",
      text: "  Hello\n",
      clientId: "first",
      replyTo: null,
      reactions: {},
      readBy: [a.id],
      readCount: 1,
      editedAt: null,
      deletedAt: null,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect((await b.get(`/chat/messages/${chatId}`)).body).toEqual([sent.body]);
  });

  test("a reply refers to a message of the same chat and to no other", async () => {
    const { a, b, chatId } = await world.pair();
    const first = (await send(a, chatId, "Question?")).body;
    expect(await b.post("/chat/messages", { chatId, text: "Answer.", replyTo: first._id })).toMatchObject({
      status: 201,
      body: { replyTo: first._id },
    });
    const elsewhere = await world.pair();
    const foreign = (await send(elsewhere.a, elsewhere.chatId, "Elsewhere")).body;
    for (const replyTo of [foreign._id, nobody]) {
      expect((await b.post("/chat/messages", { chatId, text: "To what?", replyTo })).status).toBe(404);
    }
    expect((await b.get(`/chat/messages/${chatId}`)).body).toHaveLength(2);
  });

  test("a repeated send with the same clientId and text is one message, with another text a conflict", async () => {
    const { a, b, chatId } = await world.pair();
    const first = await send(a, chatId, "Once", "key");
    const again = await send(a.at(world.gateways()[1]), chatId, "Once", "key");
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect(await send(a, chatId, "Twice", "key")).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect((await send(b, chatId, "Mine", "key")).status).toBe(201);
    expect((await b.get(`/chat/messages/${chatId}`)).body.map(({ text }: { text: string }) => text)).toEqual(["Once", "Mine"]);
  });

  test("200 concurrent sends with one clientId, over both gateways, are one message", async () => {
    const { a, b, chatId } = await world.pair();
    const gateways = world.gateways();
    const answers = await inParallel(200, (i) => send(a.at(gateways[i % 2]!), chatId, "Once", "key"));
    expect(countByStatus(answers)).toEqual({ 200: 199, 201: 1 });
    expect(new Set(answers.map(({ body }) => body._id)).size).toBe(1);
    expect((await b.get(`/chat/messages/${chatId}`)).body).toHaveLength(1);
  });

  test.each([
    ["an empty text", ""],
    ["only white space", " \n\t "],
    ["more than 10,000 characters", "x".repeat(10_001)],
    ["a number as its text", 7],
    ["an object as its text", { $gt: "" }],
    ["no text", undefined],
  ])("a message with %s is refused", async (_what, text) => {
    const { a, chatId } = await world.pair();
    const answer = await a.post("/chat/messages", { chatId, text });
    expect(answer).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    expect(answer.body.details).toContainEqual({ field: "text", message: expect.any(String) });
    expect((await a.get(`/chat/messages/${chatId}`)).body).toEqual([]);
  });

  test("a message may have 10,000 characters of any script", async () => {
    const { a, b, chatId } = await world.pair();
    const text = "ж😀".repeat(3333);
    expect((await send(a, chatId, text)).status).toBe(201);
    expect((await b.get(`/chat/messages/${chatId}`)).body[0].text).toBe(text);
  });

  test("a stranger and a removed member cannot read a chat or its files, and cannot tell that they exist", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, removed] = members as [Person, Person, Person];
    const stranger = await world.person();
    const { url } = (await sendFile(founder, chatId, file("Between us"))).body.file;
    for (const path of [`/chat/messages/${chatId}`, url]) expect((await removed.get(path)).status).toBe(200);
    await founder.put("/chat/remove-from-group", { chatId, userIdToRemove: removed.id });
    const withoutRequestId = ({ status, body }: ApiResponse) => ({ status, body: { ...body, requestId: "" } });
    for (const outsider of [stranger, removed]) {
      const answer = await outsider.get(`/chat/messages/${chatId}`);
      expect(answer).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expect(withoutRequestId(answer)).toEqual(withoutRequestId(await outsider.get(`/chat/messages/${nobody}`)));
      expect(withoutRequestId(await outsider.get(url))).toEqual(withoutRequestId(await outsider.get(`/chat/files/${nobody}`)));
    }
    expect((await stranger.post("/chat/sync", { since: { [chatId]: 0 } })).body).toMatchObject({ messages: {}, removed: [chatId] });
  });

  test("the history comes in pages by n, in both directions, in ascending order", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 210);
    const page = async (query: string) => ns((await b.get(`/chat/messages/${chatId}${query}`)).body);
    expect(await page("")).toEqual(numbers(161, 210));
    expect(await page("?limit=200")).toEqual(numbers(11, 210));
    expect(await page("?before=71&limit=30")).toEqual(numbers(41, 70));
    expect(await page("?before=1")).toEqual([]);
    expect(await page("?after=0&limit=10")).toEqual(numbers(1, 10));
    expect(await page("?after=205")).toEqual(numbers(206, 210));
    expect(await page("?after=210")).toEqual([]);
  });

  test.each([
    [25, 10],
    [210, 200],
  ])("the next links lead through a history of %d messages in pages of %d", async (count, limit) => {
    const { a, chatId } = await world.pair();
    await fill(a, chatId, count);
    const pages: number[][] = [];
    let path: string | undefined = `/chat/messages/${chatId}?limit=${limit}`;
    while (path !== undefined) {
      const answer = await a.get(path);
      pages.unshift(ns(answer.body));
      path = /<([^>]*)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    }
    expect(pages.flat()).toEqual(numbers(1, count));
    expect(pages).toHaveLength(Math.ceil(count / limit));
  });

  test.each(["limit=0", "limit=201", "limit=ten", "before=0", "before=x", "after=-1", "color=red"])(
    "the history refuses ?%s",
    async (query) => {
      const { a, chatId } = await world.pair();
      expect(await a.get(`/chat/messages/${chatId}?${query}`)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    },
  );

  describe("as PingTalk's clients use them", () => {
    test("the history is a bare array of messages, the oldest first", async () => {
      const { a, b, chatId } = await world.pair();
      await send(a, chatId, " Hello ");
      await send(b, chatId, "Hi");
      expect(await by(b)("GET", `/chat/messages/${chatId}`)).toMatchObject({
        status: 200,
        body: [
          known("message", { chatId, senderId: a.id, text: " Hello ", readBy: [a.id] }),
          known("message", { chatId, senderId: b.id, text: "Hi", readBy: [b.id] }),
        ],
      });
    });
  });
});
