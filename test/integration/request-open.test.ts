/** With `CONTACTS=open` anyone may write to anyone: an ended contact changes nothing for chats, and a block still ends them. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { factory } from "../support/people/factory.ts";
import type { Person } from "../support/people/person.ts";
import { startEmbedded, type EmbeddedServer } from "../support/servers/server.ts";

let server: EmbeddedServer;
const made = factory(() => [server.url]);
beforeAll(async () => {
  server = await startEmbedded({ env: { CONTACTS: "open" } });
});
afterAll(async () => {
  made.disconnectAll();
  await server.stop();
});

const openChat = (who: Person, other: Person) => who.post("/chat/create-direct", { receiverId: other.id });
const send = (who: Person, chatId: string) => who.post("/chat/messages", { chatId, text: "Hello" });

test("an ended contact may still write", async () => {
  const { a, b, chatId } = await made.pair();
  expect((await a.delete(`/request/connections/${b.id}`)).status).toBe(200);
  for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(201);
});

test("a block refuses messages, and lifted takes them again", async () => {
  const [a, b] = await made.people(2);
  const chatId: string = (await openChat(a, b)).body._id;
  expect((await a.put(`/request/blocks/${b.id}`)).status).toBe(200);
  for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(403);
  expect((await a.delete(`/request/blocks/${b.id}`)).status).toBe(200);
  for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(201);
});

test("a block refuses a chat and a group, either way", async () => {
  const [a, b, c] = await made.people(3);
  await a.put(`/request/blocks/${b.id}`);
  for (const [who, other] of [
    [a, b],
    [b, a],
  ] as const) {
    expect((await openChat(who, other)).status).toBe(403);
    expect((await who.post("/chat/create-group", { name: "Three", participants: [other.id, c.id] })).status).toBe(403);
  }
  expect((await openChat(b, c)).status).toBe(201);
});
