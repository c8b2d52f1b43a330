/** Tests edits, deletions and reactions of messages, over HTTP and sockets. */
import { expect, test } from "@jest/globals";
import type { Message } from "../../../services/chat/contract.ts";
import { requestJson, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const send = async (who: Person, chatId: string, text: string, more: object = {}): Promise<Message> =>
  (await who.post("/chat/messages", { chatId, text, ...more })).body;
const edit = (who: Person, { _id }: { _id: string }, text: unknown) => who.patch(`/chat/messages/${_id}`, { text });
const erase = (who: Person, { _id }: { _id: string }) => who.delete(`/chat/messages/${_id}`);
const react = (who: Person, { _id }: { _id: string }, emoji = "👍") =>
  who.put(`/chat/messages/${_id}/reactions/${encodeURIComponent(emoji)}`);
const unreact = (who: Person, { _id }: { _id: string }, emoji = "👍") =>
  who.delete(`/chat/messages/${_id}/reactions/${encodeURIComponent(emoji)}`);
const history = async (who: Person, chatId: string): Promise<Message[]> => (await who.get(`/chat/messages/${chatId}?limit=200`)).body;
const previewOf = async (who: Person, chatId: string) =>
  (await who.get("/chat/my-chats")).body.find(({ _id }: { _id: string }) => _id === chatId).lastMessagePreview;

story("Changes of messages", (world) => {
  test.each([
    ["PATCH", `/chat/messages/${nobody}`],
    ["DELETE", `/chat/messages/${nobody}`],
    ["PUT", `/chat/messages/${nobody}/reactions/%F0%9F%91%8D`],
    ["DELETE", `/chat/messages/${nobody}/reactions/%F0%9F%91%8D`],
  ])("%s %s needs a session", async (method, path) => {
    expect(await requestJson(world.gateways()[0], method, path)).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("a message of a chat that the user is not in is answered like one that does not exist", async () => {
    const { a, chatId } = await world.pair();
    const message = await send(a, chatId, "ours");
    const stranger = await world.person();
    const line = await stranger.connect();
    for (const target of [message, { _id: nobody }]) {
      for (const attempt of [edit(stranger, target, "mine"), erase(stranger, target), react(stranger, target), unreact(stranger, target)]) {
        expect(await attempt).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
      }
      for (const [event, payload] of [
        ["editMessage", { text: "mine" }],
        ["deleteMessage", {}],
        ["react", { emoji: "👍", on: true }],
      ] as const) {
        expect(await line.call(event, { messageId: target._id, ...payload })).toMatchObject({ ok: false, error: { code: "NOT_FOUND" } });
      }
    }
    expect(await history(a, chatId)).toEqual([message]);
  });

  test("only the author can edit a message, and members see the new text at its old place", async () => {
    const { a, b, chatId } = await world.pair();
    const first = await send(a, chatId, "frist");
    const second = await send(b, chatId, "second");
    const line = await b.connectAndSubscribe();
    expect(await edit(b, first, "not mine")).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    const edited = await edit(a, first, "first");
    expect(edited).toMatchObject({ status: 200, body: { _id: first._id, n: 1, text: "first", editedAt: expect.any(String) } });
    expect(edited.body.seq).toBeGreaterThan(second.seq);
    expect(await line.waitFor("messageChanged")).toEqual(edited.body);
    expect((await history(b, chatId)).map(({ text }) => text)).toEqual(["first", "second"]);
    expect((await b.post("/chat/sync", { since: { [chatId]: second.seq } })).body.messages[chatId]).toEqual([edited.body]);
    expect((await edit(a, first, "first")).body).toEqual(edited.body);
    const bySocket = await (await a.connect()).callOrThrow("editMessage", { messageId: second._id, text: "x" }).catch(String);
    expect(bySocket).toContain("FORBIDDEN");
    expect(await (await b.connect()).callOrThrow("editMessage", { messageId: second._id, text: "2nd" })).toMatchObject({
      n: 2,
      text: "2nd",
    });
  });

  test("the preview of a chat shows edits and the deletion of its last message, and of no other", async () => {
    const { a, b, chatId } = await world.pair();
    const first = await send(a, chatId, "one");
    const last = await send(a, chatId, "two");
    await edit(a, first, "ONE");
    expect(await previewOf(b, chatId)).toMatchObject({ n: 2, text: "two" });
    await edit(a, last, "TWO");
    expect(await previewOf(b, chatId)).toMatchObject({ n: 2, text: "TWO" });
    await erase(a, last);
    expect(await previewOf(b, chatId)).toMatchObject({ n: 2, text: "" });
  });

  test("a deleted message keeps its place, without text and reactions, and cannot be changed again", async () => {
    const { a, b, chatId } = await world.pair();
    const message = await send(a, chatId, "regretted", { clientId: "once" });
    const reply = await send(b, chatId, "what?", { replyTo: message._id });
    await react(b, message);
    expect(await erase(b, message)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    const line = await b.connectAndSubscribe();
    const erased = await erase(a, message);
    expect(erased).toMatchObject({ status: 200, body: { n: 1, kind: "text", text: "", reactions: {}, deletedAt: expect.any(String) } });
    expect(await line.waitFor("messageChanged")).toEqual(erased.body);
    expect((await erase(a, message)).body).toEqual(erased.body);
    expect(await edit(a, message, "again")).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect(await react(b, message)).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect(await history(b, chatId)).toEqual([erased.body, reply]);
    expect(JSON.stringify(await history(b, chatId))).not.toContain("regretted");
    const again = await a.post("/chat/messages", { chatId, text: "regretted", clientId: "once" });
    expect(again).toMatchObject({ status: 200, body: { n: 1, text: "", deletedAt: erased.body.deletedAt } });
  });

  test("admins of a group can delete others' messages but not edit them, and nobody can change system messages", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member, other] = members as [Person, Person, Person];
    const message = await send(member, chatId, "spam");
    expect((await erase(other, message)).status).toBe(403);
    expect((await edit(admin, message, "ham")).status).toBe(403);
    expect(await erase(admin, message)).toMatchObject({ status: 200, body: { senderId: member.id, text: "" } });
    const [created] = await history(admin, chatId);
    for (const attempt of [edit(admin, created!, "x"), erase(admin, created!), react(admin, created!)]) {
      expect(await attempt).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    }
  });

  test("a reaction counts each user once per emoji, lists users in the order in which they reacted, and can be removed", async () => {
    const { members, chatId } = await world.group(3);
    const [a, b, c] = members as [Person, Person, Person];
    const message = await send(a, chatId, "look");
    expect(await react(b, message)).toMatchObject({ status: 200, body: { reactions: { "👍": { count: 1, userIds: [b.id] } } } });
    await react(b, message);
    await react(c, message, "❤️");
    expect((await react(a, message)).body.reactions).toEqual({
      "👍": { count: 2, userIds: [b.id, a.id] },
      "❤️": { count: 1, userIds: [c.id] },
    });
    expect((await unreact(b, message)).body.reactions).toMatchObject({ "👍": { count: 1, userIds: [a.id] } });
    expect((await unreact(b, message)).body.reactions).toMatchObject({ "👍": { count: 1 } });
    const line = await c.connect();
    expect((await line.callOrThrow("react", { messageId: message._id, emoji: "❤️", on: false })).reactions).toEqual({
      "👍": { count: 1, userIds: [a.id] },
    });
    expect((await history(b, chatId)).at(-1)).toMatchObject({ text: "look", reactions: { "👍": { count: 1, userIds: [a.id] } } });
  });

  test("a reaction is a single emoji, and a message has at most 20 different ones", async () => {
    const { a, chatId } = await world.pair();
    const message = await send(a, chatId, "react!");
    for (const emoji of ["x", "ok", "👍👍", "👍 ", "1", "😀".repeat(500), "<b>"]) {
      const answer = await react(a, message, emoji);
      expect(answer).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    }
    const line = await a.connect();
    for (const emoji of ["", "x".repeat(10_000), null, 7, { $ne: 1 }, ["👍"]]) {
      expect(await line.call("react", { messageId: message._id, emoji, on: true })).toMatchObject({
        ok: false,
        error: { code: "VALIDATION" },
      });
    }
    const emojis = "😀 😁 😂 🤣 😃 😄 😅 😆 😉 😊 😋 😎 😍 😘 🥰 😗 😙 😚 🙂 🤗".split(" ");
    await Promise.all(emojis.map((emoji) => react(a, message, emoji)));
    expect(await react(a, message, "🤩")).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect((await react(a, message, "😀")).status).toBe(200);
    expect(Object.keys((await history(a, chatId))[0]!.reactions).sort()).toEqual(emojis.sort());
  });

  test("concurrent reactions are all counted, and each socket gets at most two events a second about them", async () => {
    const { members, chatId } = await world.group(8);
    const message = await send(members[0], chatId, "everyone!");
    const line = await members[0].connectAndSubscribe();
    const began = Date.now();
    const emojis = ["👍", "❤️", "😂"];
    await Promise.all(members.flatMap((member) => emojis.map((emoji) => react(member, message, emoji))));
    const last = await line.waitFor("messageChanged", ({ reactions }) => emojis.every((emoji) => reactions[emoji]?.count === 8));
    for (const emoji of emojis) expect(last.reactions[emoji].userIds.toSorted()).toEqual(members.map(({ id }) => id).sort());
    // For a moment two nodes may process the same chat, and each limits only its own events.
    expect(line.payloadsOf("messageChanged").length).toBeLessThanOrEqual(2 * (2 + Math.ceil((Date.now() - began) / 500)));
    expect((await history(members[1]!, chatId)).at(-1)).toEqual(last);
  });

  test("concurrent edits, deletions and sends reach all members in the order of seq", async () => {
    const { a, b, chatId } = await world.pair();
    const messages = await Promise.all(Array.from({ length: 10 }, (_, i) => send(a, chatId, `m${i}`)));
    const lines = [await a.connectAndSubscribe(), await b.connectAndSubscribe()];
    await Promise.all([
      ...messages.map((message, i) => edit(a, message, `edited ${i}`)),
      ...Array.from({ length: 10 }, (_, i) => send(b, chatId, `b${i}`)),
      ...messages.slice(0, 5).map((message) => erase(a, message)),
    ]);
    const stored = await history(a, chatId);
    expect(stored.filter(({ deletedAt }) => deletedAt !== null)).toHaveLength(5);
    const bySeq = stored.toSorted((x, y) => x.seq - y.seq);
    for (const line of lines) {
      await line.waitFor("messageChanged", ({ seq }) => seq >= bySeq.findLast(({ n }) => n <= 10)!.seq);
      await line.waitForCount("receiveMessage", 10);
      const received = line.received
        .filter(({ event }) => event === "receiveMessage" || event === "messageChanged")
        .map(({ data }) => data);
      expect(received.map(({ seq }) => seq)).toEqual(received.map(({ seq }) => seq).toSorted((x: number, y: number) => x - y));
      const view = new Map<number, Message>(received.map((message) => [message.n, message]));
      for (const message of stored) expect(view.get(message.n)).toEqual(message);
    }
  });

  test("malformed texts and ids are refused", async () => {
    const { a, chatId } = await world.pair();
    const message = await send(a, chatId, "fine");
    for (const text of ["", "   ", "x".repeat(10_001), 7, null, undefined, { $set: 1 }, "\ud800"]) {
      expect(await edit(a, message, text)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    }
    for (const id of ["x", nobody.toUpperCase(), `${nobody}0`]) expect((await edit(a, { _id: id }, "x")).status).toBe(400);
    expect(await a.request("PATCH", `/chat/messages/${message._id}`, { body: { text: "x", n: 7 } })).toMatchObject({ status: 400 });
    expect(await history(a, chatId)).toEqual([message]);
  });
});
