/** PingTalk's sockets as its clients use them: the cookie at the handshake, no acknowledgements, and four events. */
import { describe, expect, test } from "@jest/globals";
import { known, nobody } from "../support/people/legacy-client.ts";
import { connect, type TestSocket, type Person } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";

const online = ({ url, token }: Person): Promise<TestSocket> => connect(url, { headers: { cookie: `token=${token}` } });
const events = ({ received: heard }: TestSocket): string[] => heard.map(({ event }) => event);
/** What was sent before is heard once this is answered. */
const settled = (line: TestSocket) => line.call("sync", { since: {} });

/** Enters a chat without asking for an answer: success is silent. */
async function enter(line: TestSocket, chatId: string): Promise<void> {
  line.socket.emit("joinChat", { chatId });
  await settled(line);
}

story("PingTalk's clients, on sockets", (world) => {
  describe("the handshake", () => {
    test.each([
      ["no cookie", undefined],
      ["a cookie without a token", "other=1"],
      ["a token that is none", "token=nonsense"],
    ])("with %s is refused", async (_what, cookie) => {
      const headers = cookie === undefined ? {} : { cookie };
      await expect(connect(world.gateways()[0], { headers })).rejects.toThrow(/./);
    });

    test("leads in with the cookie, at PingTalk's path and at Socket.IO's own", async () => {
      const { url, token } = await world.person();
      for (const path of ["/chat/socket.io/", "/socket.io/"]) {
        const line = await connect(url, { path, headers: { cookie: `token=${token}` } });
        expect(line.socket.connected).toBe(true);
        line.close();
      }
    });
  });

  describe("joinChat", () => {
    test("of a chat one is not in brings the event error, a string, and no message", async () => {
      const { a, chatId } = await world.pair();
      const line = await online(await world.person());
      for (const id of [chatId, nobody]) line.socket.emit("joinChat", { chatId: id });
      for (const error of await line.waitForCount("error", 2)) expect(error).toEqual(expect.any(String));
      await a.post("/chat/messages", { chatId, text: "Between us" });
      await settled(line);
      expect(events(line)).toEqual(["error", "error"]);
      line.close();
    });

    test("is silent when it succeeds", async () => {
      const { a, chatId } = await world.pair();
      const line = await online(a);
      await enter(line, chatId);
      expect(line.received).toEqual([]);
      line.close();
    });
  });

  describe("sendMessage", () => {
    test("into a chat one is not in brings the event error, and stores nothing", async () => {
      const { a, chatId } = await world.pair();
      const line = await online(await world.person());
      line.socket.emit("sendMessage", { chatId, text: "Let me in" });
      expect(await line.waitFor("error")).toEqual(expect.any(String));
      expect((await a.get(`/chat/messages/${chatId}`)).body).toEqual([]);
      line.close();
    });

    test("is heard as receiveMessage by all who joined, the sender too, and by nobody else", async () => {
      const { a, b, chatId } = await world.pair();
      const [sender, reader, absent] = await Promise.all([online(a), online(b), online(b)]);
      for (const line of [sender, reader]) await enter(line, chatId);
      sender.socket.emit("sendMessage", { chatId, text: " Hello " });
      const [message] = (await sender.waitForCount("receiveMessage", 1)) as [object];
      expect(message).toMatchObject(known("message", { chatId, senderId: a.id, text: " Hello ", readBy: [a.id] }));
      expect(await reader.waitFor("receiveMessage")).toEqual(message);
      expect((await b.get(`/chat/messages/${chatId}`)).body).toEqual([message]);
      await settled(absent);
      expect(events(absent)).toEqual([]);
      for (const line of [sender, reader, absent]) line.close();
    });

    test("needs no joinChat before", async () => {
      const { a, b, chatId } = await world.pair();
      const [sender, reader] = await Promise.all([online(a), online(b)]);
      await enter(reader, chatId);
      sender.socket.emit("sendMessage", { chatId, text: "From outside" });
      expect(await reader.waitFor("receiveMessage")).toMatchObject({ senderId: a.id, text: "From outside" });
      await settled(sender);
      expect(events(sender)).toEqual([]);
      for (const line of [sender, reader]) line.close();
    });

    test.each([
      ["no text", {}],
      ["an empty text", { text: "" }],
      ["an object", { text: { $ne: "" } }],
    ])("of %s brings the event error, and stores nothing", async (_what, payload) => {
      const { a, chatId } = await world.pair();
      const line = await online(a);
      line.socket.emit("sendMessage", { chatId, ...payload });
      expect(await line.waitFor("error")).toEqual(expect.any(String));
      expect((await a.get(`/chat/messages/${chatId}`)).body).toEqual([]);
      line.close();
    });
  });
});
