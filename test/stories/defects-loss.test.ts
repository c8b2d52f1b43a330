/**
 * PingTalk's ways to lose, double, reorder and show old things, each with what Parley does instead; docs/security.md lists them by
 * their numbers, with the tests elsewhere that need more than a client: killed processes, brokers away, many nodes.
 */
import { expect, test } from "@jest/globals";
import type { ApiResponse, Person } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";
import { file, sendFile } from "../support/files/uploads.ts";

const nobody = "0123456789abcdef01234567";
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const nextPage = ({ headers }: ApiResponse) => /<([^>]*)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];

story("PingTalk's losses, races and stale reads are not ours", (world) => {
  test("defect 20: a group has two others who exist, a name and an admin, and ends whole with its last member", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, heir, last] = members as [Person, Person, Person];
    for (const [name, participants, status] of [
      ["Me twice", [founder.id, founder.id], 400],
      ["The same twice", [heir.id, heir.id], 400],
      ["   ", [heir.id, last.id], 400],
      ["With nobody", [heir.id, nobody], 403],
    ] as const) {
      expect({ name, status: (await founder.post("/chat/create-group", { name, participants })).status }).toEqual({ name, status });
    }
    expect((await founder.put("/chat/leave-group", { chatId })).body.chat).toMatchObject({ admins: [heir.id], memberCount: 2 });
    expect((await heir.patch(`/chat/groups/${chatId}`, { name: "Ours now" })).status).toBe(200);
    expect((await heir.put("/chat/leave-group", { chatId })).body.chat).toMatchObject({ admins: [last.id], memberCount: 1 });
    expect((await last.put("/chat/leave-group", { chatId })).body).toEqual({ message: expect.any(String) });
    for (const member of members) {
      expect((await member.get(`/chat/messages/${chatId}`)).status).toBe(403);
      expect((await member.get("/chat/my-chats")).body).toEqual([]);
    }
  });

  test("defect 21: a sender knows what came of a message, and may send it again", async () => {
    const { a, b, chatId } = await world.pair();
    const [line, other] = await Promise.all([a.connect(), b.connectAndSubscribe()]);
    const stored = await line.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "one" });
    expect(stored).toMatchObject({ n: 1, text: "Once", clientId: "one" });
    expect(await line.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "one" })).toEqual(stored);
    expect((await a.post("/chat/messages", { chatId, text: "Once", clientId: "one" })).body).toEqual(stored);
    for (const [payload, code] of [
      [{ chatId, text: "" }, "VALIDATION"],
      [{ chatId, text: "Other", clientId: "one" }, "CONFLICT"],
      [{ chatId: nobody, text: "Hello" }, "FORBIDDEN"],
    ] as const) {
      expect(await line.call("sendMessage", payload)).toMatchObject({ ok: false, error: { code, message: expect.any(String) } });
    }
    line.socket.emit("sendMessage", { chatId: nobody, text: "Nobody asked for an answer" });
    expect(await line.waitFor("error")).toEqual(expect.any(String));
    await line.callOrThrow("sendMessage", { chatId, text: "Last" });
    await other.waitFor("receiveMessage", ({ text }) => text === "Last");
    expect(other.payloadsOf("receiveMessage").map(({ text }) => text)).toEqual(["Once", "Last"]);
  });

  test("defect 22: an id has one spelling, and another one enters no room", async () => {
    const { a, chatId } = await world.pair();
    const line = await a.connect();
    // An id of digits alone has no upper case.
    const spellings = [chatId.toUpperCase(), ` ${chatId}`, `${chatId}\n`].filter((spelling) => spelling !== chatId);
    for (const spelling of spellings) {
      const refused = { ok: false, error: { code: "VALIDATION" } };
      expect(await line.call("joinChat", { chatId: spelling })).toMatchObject(refused);
      expect(await line.call("sendMessage", { chatId: spelling, text: "Hello" })).toMatchObject(refused);
      expect((await a.get(`/chat/messages/${encodeURIComponent(spelling)}`)).status).toBe(400);
    }
  });

  test("defect 23: history and chats come in pages, whatever is asked, and no file is in them", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await a.connect();
    await Promise.all(numbers(210).map((i) => line.callOrThrow("sendMessage", { chatId, text: `${i}` })));
    const [usual, most] = await Promise.all(["", "?limit=200"].map((query) => b.get(`/chat/messages/${chatId}${query}`)));
    expect([usual!.body.length, most!.body.length]).toEqual([50, 200]);
    const { file: sent } = (await sendFile(a, chatId, file("bytes"))).body;
    expect(Object.keys(sent).sort()).toEqual(["_id", "mimeType", "name", "size", "url"]);
    expect((await b.get(`/chat/messages/${chatId}?limit=1`)).body).toMatchObject([{ file: sent }]);
    const rest = await b.get(nextPage(most!)!);
    expect(rest.body.map(({ n }: { n: number }) => n)).toEqual(numbers(10));
    expect(nextPage(rest)).toBeUndefined();
    for (const path of [`/chat/messages/${chatId}?limit=201`, "/chat/my-chats?limit=201"]) expect((await b.get(path)).status).toBe(400);
    expect((await b.post("/chat/sync", { since: { [chatId]: 0 } })).body.messages[chatId]).toHaveLength(200);
  });

  test("defect 24: gateways are one: each delivers what the other took in, and a contact that ended may write through neither", async () => {
    const { a, b, chatId } = await world.pair();
    const [first, second] = world.gateways();
    const lines = await Promise.all([first, second].map((url) => b.at(url).connect()));
    for (const line of lines) await line.callOrThrow("joinChat", { chatId });
    const writers = await Promise.all([first, second].map((url) => a.at(url).connect()));
    for (const [i, writer] of writers.entries()) await writer.callOrThrow("sendMessage", { chatId, text: `by gateway ${i}` });
    for (const line of [...lines]) {
      expect((await line.waitForCount("receiveMessage", 2)).map(({ text }) => text)).toEqual(["by gateway 0", "by gateway 1"]);
    }
    expect((await b.delete(`/request/connections/${a.id}`)).status).toBe(200);
    for (const writer of writers) {
      expect(await writer.call("sendMessage", { chatId, text: "Still?" })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
    for (const line of [...lines, ...writers]) line.close();
  });
});
