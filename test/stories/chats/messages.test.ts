/** Messages over HTTP: sending, sending again with the same clientId, and paging through history. */
import { expect, test } from "@jest/globals";
import { file, sendFile } from "../../support/files/uploads.ts";
import { requestJson, type ApiResponse, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const send = (who: Person, chatId: string, text: string, clientId?: string) =>
  who.post("/chat/messages", { chatId, text, ...(clientId === undefined ? {} : { clientId }) });
const ns = (messages: { n: number }[]) => messages.map(({ n }) => n);
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Fills a chat by socket, one send after another on the wire, none awaited. */
async function fill(who: Person, chatId: string, count: number): Promise<void> {
  const line = await who.connect();
  await Promise.all(numbers(1, count).map((i) => line.callOrThrow("sendMessage", { chatId, text: `message ${i}` })));
  line.close();
}

story("Messages", (world) => {
  test.each([
    ["POST", "/chat/messages"],
    ["POST", "/chat/sync"],
    ["GET", `/chat/messages/${nobody}`],
  ])("%s %s needs a session", async (method, path) => {
    const answer = await requestJson(world.gateways()[0], method, path, method === "POST" ? { body: {} } : {});
    expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("a chat one is not in answers like one that does not exist", async () => {
    const { chatId } = await world.pair();
    const stranger = await world.person();
    for (const id of [chatId, nobody]) {
      expect(await stranger.get(`/chat/messages/${id}`)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expect(await send(stranger, id, "Let me in")).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    }
  });

  test("a sent message is answered as it is stored, and read by the other at the other gateway", async () => {
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

  test("a reply names a message of the same chat, and no other", async () => {
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

  test("the same clientId with the same text is one message, with another text a conflict", async () => {
    const { a, b, chatId } = await world.pair();
    const first = await send(a, chatId, "Once", "key");
    const again = await send(a.at(world.gateways()[1]), chatId, "Once", "key");
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect(await send(a, chatId, "Twice", "key")).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect((await send(b, chatId, "Mine", "key")).status).toBe(201);
    expect((await b.get(`/chat/messages/${chatId}`)).body.map(({ text }: { text: string }) => text)).toEqual(["Once", "Mine"]);
  });

  test.each([
    ["an empty text", ""],
    ["white space alone", " \n\t "],
    ["over 10,000 characters", "x".repeat(10_001)],
    ["a number", 7],
    ["an object", { $gt: "" }],
    ["nothing", undefined],
  ])("%s is not a message", async (_what, text) => {
    const { a, chatId } = await world.pair();
    const answer = await a.post("/chat/messages", { chatId, text });
    expect(answer).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    expect(answer.body.details).toContainEqual({ field: "text", message: expect.any(String) });
    expect((await a.get(`/chat/messages/${chatId}`)).body).toEqual([]);
  });

  test("10,000 characters of any script are a message", async () => {
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

  test("history pages by ordinals, both ways, ascending", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 120);
    const page = async (query: string) => ns((await b.get(`/chat/messages/${chatId}${query}`)).body);
    expect(await page("")).toEqual(numbers(71, 120));
    expect(await page("?limit=200")).toEqual(numbers(1, 120));
    expect(await page("?before=71&limit=30")).toEqual(numbers(41, 70));
    expect(await page("?before=1")).toEqual([]);
    expect(await page("?after=0&limit=10")).toEqual(numbers(1, 10));
    expect(await page("?after=115")).toEqual(numbers(116, 120));
    expect(await page("?after=120")).toEqual([]);
  });

  test("following a page's link leads through the whole history", async () => {
    const { a, chatId } = await world.pair();
    await fill(a, chatId, 25);
    const seen: number[] = [];
    let path: string | undefined = `/chat/messages/${chatId}?limit=10`;
    while (path !== undefined) {
      const answer = await a.get(path);
      seen.unshift(...ns(answer.body));
      path = /<([^>]*)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    }
    expect(seen).toEqual(numbers(1, 25));
  });

  test.each(["limit=0", "limit=201", "limit=ten", "before=0", "before=x", "after=-1", "color=red"])(
    "history refuses ?%s",
    async (query) => {
      const { a, chatId } = await world.pair();
      expect(await a.get(`/chat/messages/${chatId}?${query}`)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    },
  );
});
