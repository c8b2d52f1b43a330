/** An end and a block while no chat node lives: the change stands, is not said to hold before it does, and holds once chat is back. */
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { usualNodes } from "../../support/mesh/mesh.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import type { Person } from "../../support/people/person.ts";

describeMesh("Contacts while chat is away", () => {
  const own = ownMesh({ env: { EVENT_RETRY_MS: "50" } });
  const { made } = own;

  const send = (who: Person, chatId: string) => who.post("/chat/messages", { chatId, text: "Hello" });

  test("what could not be put in force is 503, and is in force when chat is back; then a repeat is 200", async () => {
    const ended = await made.pair();
    const blocked = await made.pair();
    const end = () => ended.b.delete(`/request/connections/${ended.a.id}`);
    const block = () => blocked.b.put(`/request/blocks/${blocked.a.id}`);
    await Promise.all([own.mesh.kill("chatA"), own.mesh.kill("chatB")]);

    for (const attempt of [end, end, block]) {
      const answer = await attempt();
      expect(answer).toMatchObject({ status: 503, body: { code: "UNAVAILABLE" } });
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
    }
    expect((await ended.a.get("/request/connections")).body.data).toEqual([]);
    expect((await blocked.b.get("/request/blocks")).body.data).toMatchObject([{ userId: blocked.a.id }]);

    await own.mesh.start("chatA", usualNodes.chatA);
    for (const { a, chatId } of [ended, blocked]) {
      await eventually("nothing can be sent any more", async () => (await send(a, chatId)).status === 403);
      expect((await a.get(`/chat/messages/${chatId}`)).status).toBe(200);
    }
    for (const attempt of [end, block]) await eventually("a repeat is answered", async () => (await attempt()).status === 200);
    for (const { a, b, chatId } of [ended, blocked]) {
      for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(403);
    }
  });

  test("a contact made while chat is away can chat when it is back", async () => {
    const [a, b] = await made.people(2);
    await own.mesh.kill("chatA");
    await made.befriend(a, b);
    await own.mesh.start("chatA", usualNodes.chatA);
    const chat = await eventually("the chat is made", async () => {
      const answer = await a.post("/chat/create-direct", { receiverId: b.id });
      return answer.status === 201 ? answer.body : false;
    });
    expect((await send(b, chat._id)).status).toBe(201);
  });
});
