/** What happens at once, on purpose: every race has one outcome, and everybody sees the same. */
import { expect, test } from "@jest/globals";
import type { ApiResponse } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";

const times = <T>(count: number, make: (i: number) => Promise<T>) => Promise.all(Array.from({ length: count }, (_, i) => make(i)));
const tally = (answers: ApiResponse[]) =>
  Object.fromEntries(Object.entries(Object.groupBy(answers, ({ status }) => status)).map(([status, all]) => [status, all?.length]));

story("Races", (world) => {
  test("200 sends at once with one clientId are one message", async () => {
    const { a, b, chatId } = await world.pair();
    const gateways = world.gateways();
    const answers = await times(200, (i) => a.at(gateways[i % 2]!).post("/chat/messages", { chatId, text: "Once", clientId: "key" }));
    expect(tally(answers)).toEqual({ 200: 199, 201: 1 });
    expect(new Set(answers.map(({ body }) => body._id)).size).toBe(1);
    expect((await b.get(`/chat/messages/${chatId}`)).body).toHaveLength(1);
  });

  test("200 sends at once with one clientId over sockets are one message, heard once", async () => {
    const { a, b, chatId } = await world.pair();
    const lines = await Promise.all(world.gateways().map((url) => a.at(url).connect()));
    const reader = await b.connectAndSubscribe();
    const stored = await times(200, (i) => lines[i % 2]!.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "key" }));
    expect(new Set(stored.map(({ _id }) => _id)).size).toBe(1);
    await a.post("/chat/messages", { chatId, text: "Last" });
    await reader.waitFor("receiveMessage", ({ text }) => text === "Last");
    expect(reader.payloadsOf("receiveMessage").map(({ n, text }) => [n, text])).toEqual([
      [1, "Once"],
      [2, "Last"],
    ]);
    for (const line of lines) line.close();
  });

  test("twenty create-direct at once from both sides make one chat, usable", async () => {
    const [a, b] = await world.people(2);
    await world.befriend(a, b);
    const answers = await times(20, (i) =>
      i % 2 === 0 ? a.post("/chat/create-direct", { receiverId: b.id }) : b.post("/chat/create-direct", { receiverId: a.id }),
    );
    expect(tally(answers)).toEqual({ 200: 19, 201: 1 });
    const [chatId, ...others] = new Set(answers.map(({ body }) => body._id as string));
    expect(others).toEqual([]);
    expect((await a.post("/chat/messages", { chatId, text: "Here?" })).status).toBe(201);
    expect((await b.get(`/chat/messages/${chatId}`)).body).toMatchObject([{ n: 1, text: "Here?" }]);
    expect((await b.get("/chat/my-chats")).body).toHaveLength(1);
  });

  test("ten groups asked for at once are ten groups", async () => {
    const { members } = await world.group(3);
    const [founder, ...others] = members;
    const participants = others.map(({ id }) => id);
    const answers = await times(10, (i) => founder.post("/chat/create-group", { name: `Group ${i}`, participants }));
    expect(tally(answers)).toEqual({ 201: 10 });
    expect((await others[0]!.get("/chat/my-chats")).body).toHaveLength(11);
  });
});
