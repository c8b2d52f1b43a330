/** Ending a contact and blocking while no chat node runs: the change is stored, and answered with 503 until chat has applied it. */
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

  test("ending a contact or blocking answers 503, is applied once chat is back, and a repeat then answers 200", async () => {
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
      await eventually("sending is refused", async () => (await send(a, chatId)).status === 403);
      expect((await a.get(`/chat/messages/${chatId}`)).status).toBe(200);
    }
    for (const attempt of [end, block]) await eventually("a repeat succeeds", async () => (await attempt()).status === 200);
    for (const { a, b, chatId } of [ended, blocked]) {
      for (const who of [a, b]) expect((await send(who, chatId)).status).toBe(403);
    }
  });

  test("two users who became contacts meanwhile can chat once chat is back", async () => {
    const [a, b] = await made.people(2);
    await own.mesh.kill("chatA");
    await made.befriend(a, b);
    await own.mesh.start("chatA", usualNodes.chatA);
    const chat = await eventually("the chat is created", async () => {
      const answer = await a.post("/chat/create-direct", { receiverId: b.id });
      return answer.status === 201 ? answer.body : false;
    });
    expect((await send(b, chat._id)).status).toBe(201);
  });
});
