/** Chats: direct chats between contacts, groups of contacts, and the list of your own chats. */
import { describe, expect, test } from "@jest/globals";
import { countByStatus, inParallel } from "../../support/concurrent.ts";
import { eventually } from "../../support/eventually.ts";
import { by, id, known, malformed, nobody } from "../../support/people/legacy-client.ts";
import type { Person } from "../../support/people/person.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

const chatIds = (chats: readonly { _id: string }[]) => chats.map(({ _id }) => _id);

/**
 * Sends to a chat until the reader's list has it before another chat. Two nodes may write these chats, each by its own clock.
 * @returns the reader's list, and how many messages were sent
 */
async function sendUntilListedBefore(sender: Person, chatId: string, text: string, reader: Person, otherId: string) {
  let sent = 0;
  const chats = await eventually("the chat's time is later than the other's", async () => {
    await sender.post("/chat/messages", { chatId, text });
    sent++;
    const { body } = await reader.get("/chat/my-chats");
    const updatedAt = (wanted: string) => body.find(({ _id }: { _id: string }) => _id === wanted).updatedAt;
    return updatedAt(chatId) > updatedAt(otherId) && body;
  });
  return { chats, sent };
}

story("Chats", (world) => {
  testNeedsSession(world, [
    ["POST", "/chat/create-direct"],
    ["POST", "/chat/create-group"],
    ["GET", "/chat/my-chats"],
  ]);

  test("only contacts can have a direct chat", async () => {
    const [a, b] = await world.people(2);
    const create = () => a.post("/chat/create-direct", { receiverId: b.id });
    expect(await create()).toMatchObject(refusal(403, "FORBIDDEN"));
    const invited = await a.post("/request/invite/send", { toEmail: b.emailId });
    expect((await create()).status).toBe(403);
    await b.patch(`/request/respond/${invited.body.data._id}`, { status: "accepted" });
    expect((await create()).status).toBe(201);
  });

  test("two users have one direct chat, whoever creates it", async () => {
    const { a, b, chatId } = await world.pair();
    for (const [user, other] of [
      [a, b],
      [b, a],
    ] as const) {
      // The server leaves out a name that it does not get in time.
      const answer = await eventually("the title is the other user's name", async () => {
        const created = await user.post("/chat/create-direct", { receiverId: other.id });
        return created.body.title !== "Someone" && created;
      });
      expect(answer).toMatchObject({
        status: 200,
        body: {
          _id: chatId,
          chatType: "direct",
          admins: [],
          memberCount: 2,
          lastMessage: null,
          unread: 0,
          title: `${other.firstName} ${other.lastName}`,
        },
      });
      expect(answer.body.participants).toEqual([a.id, b.id].sort());
    }
  });

  test("twenty concurrent create-direct from both sides create one chat, and it works", async () => {
    const [a, b] = await world.people(2);
    await world.befriend(a, b);
    const answers = await inParallel(20, (i) =>
      i % 2 === 0 ? a.post("/chat/create-direct", { receiverId: b.id }) : b.post("/chat/create-direct", { receiverId: a.id }),
    );
    expect(countByStatus(answers)).toEqual({ 200: 19, 201: 1 });
    const [chatId, ...others] = new Set(answers.map(({ body }) => body._id as string));
    expect(others).toEqual([]);
    expect((await a.post("/chat/messages", { chatId, text: "Here?" })).status).toBe(201);
    expect((await b.get(`/chat/messages/${chatId}`)).body).toMatchObject([{ n: 1, text: "Here?" }]);
    expect((await b.get("/chat/my-chats")).body).toHaveLength(1);
  });

  test("the other user is notified of a new direct chat", async () => {
    const [a, b] = await world.people(2);
    await world.befriend(a, b);
    const line = await b.connectAndSubscribe();
    const { _id } = (await a.post("/chat/create-direct", { receiverId: b.id })).body;
    expect(await line.waitFor("chatChanged", (chat) => chat._id === _id)).toMatchObject({ chatType: "direct" });
  });

  test("a direct chat with yourself, with an unknown user or with a malformed id is refused", async () => {
    const a = await world.person();
    const create = (receiverId?: string) => a.post("/chat/create-direct", { receiverId });
    expect([403, 404]).toContain((await create(nobody)).status);
    for (const receiverId of [a.id, a.id.toUpperCase() + "zz", malformed, undefined]) {
      expect(await create(receiverId)).toMatchObject(refusal(400, "VALIDATION"));
    }
  });

  test("a group's creator is its admin, and its first message says who created it", async () => {
    const { members, chatId } = await world.group(4);
    const [founder] = members;
    const ids = members.map((member) => member.id).sort();
    for (const member of members) {
      const [chat] = (await member.get("/chat/my-chats")).body;
      expect(chat).toMatchObject({
        _id: chatId,
        chatType: "group",
        name: "A group",
        title: "A group",
        admins: [founder.id],
        memberCount: 4,
        lastN: 1,
        unread: 0,
      });
      expect([...chat.participants].sort()).toEqual(ids);
      const history = (await member.get(`/chat/messages/${chatId}`)).body;
      const text = 'created the group "A group"';
      expect(history).toMatchObject([{ n: 1, kind: "system", senderId: founder.id, system: { event: "created", name: "A group" }, text }]);
      expect([...history[0].system.userIds].sort()).toEqual(ids);
    }
  });

  test("ten concurrent create-group create ten groups", async () => {
    const { members } = await world.group(3);
    const [founder, ...others] = members;
    const participants = others.map((other) => other.id);
    const answers = await inParallel(10, (i) => founder.post("/chat/create-group", { name: `Group ${i}`, participants }));
    expect(countByStatus(answers)).toEqual({ 201: 10 });
    expect((await others[0]!.get("/chat/my-chats")).body).toHaveLength(11);
  });

  test("a group needs at least two different other users", async () => {
    const { a, b } = await world.pair();
    for (const participants of [[b.id], [b.id, b.id], [a.id, a.id], [b.id, malformed], "all", undefined]) {
      expect(await a.post("/chat/create-group", { name: "Too small", participants })).toMatchObject(refusal(400, "VALIDATION"));
    }
  });

  test("a group with someone who is not a contact, or does not exist, is refused", async () => {
    const { a, b } = await world.pair();
    const stranger = await world.person();
    for (const userId of [stranger.id, nobody]) {
      const answer = await a.post("/chat/create-group", { name: "Not all friends", participants: [b.id, userId] });
      expect(answer).toMatchObject(refusal(403, "FORBIDDEN"));
    }
    expect((await stranger.get("/chat/my-chats")).body).toEqual([]);
  });

  test("a group needs a name of 1 to 100 characters that is not blank", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, ...others] = members;
    const create = (name: unknown) => founder.post("/chat/create-group", { name, participants: others.map((other) => other.id) });
    for (const name of [undefined, "", "  ", "   ", 7, "x".repeat(101)]) {
      const answer = await create(name);
      expect(answer).toMatchObject(refusal(400, "VALIDATION"));
      expect(answer.body).toMatchObject({ details: [{ field: "name" }] });
    }
    const named = await create("x".repeat(100));
    expect(named).toMatchObject({ status: 201, body: { name: "x".repeat(100) } });
    expect(chatIds((await founder.get("/chat/my-chats")).body).sort()).toEqual([chatId, named.body._id].sort());
  });

  test("your chats are listed by their last activity, newest first, with unread counts", async () => {
    const [a, b, c] = await world.people(3);
    const created: string[] = [];
    for (const other of [b, c]) {
      await world.befriend(a, other);
      created.push((await a.post("/chat/create-direct", { receiverId: other.id })).body._id);
    }
    const [first, second] = created as [string, string];
    await b.post("/chat/messages", { chatId: first, text: "one" });
    await c.post("/chat/messages", { chatId: second, text: "two" });
    const { chats, sent } = await sendUntilListedBefore(b, first, "three", a, second);
    expect(chatIds(chats)).toEqual(created);
    expect(chats[0]).toMatchObject({
      unread: 1 + sent,
      lastN: 1 + sent,
      lastMessagePreview: { n: 1 + sent, senderId: b.id, text: "three", kind: "text" },
    });
    expect((await b.get("/chat/my-chats")).body[0]).toMatchObject({ unread: 0 });
  });

  test("a long list of chats comes in pages of at most 200", async () => {
    const a = await world.person();
    for (let i = 0; i < 3; i++) {
      const other = await world.person();
      await world.befriend(a, other);
      await a.post("/chat/create-direct", { receiverId: other.id });
    }
    const seen: string[] = [];
    let path: string | undefined = "/chat/my-chats?limit=2";
    while (path !== undefined) {
      const answer = await a.get(path);
      seen.push(...chatIds(answer.body));
      path = /<([^>]*)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    }
    expect(new Set(seen).size).toBe(3);
    expect(seen).toHaveLength(3);
    expect((await a.get("/chat/my-chats?limit=201")).status).toBe(400);
  });

  describe("as PingTalk's clients use them", () => {
    test("create-direct answers a new chat with 201 and the existing one with 200", async () => {
      const [a, b] = await world.people(2);
      await world.befriend(a, b);
      const created = await by(a)("POST", "/chat/create-direct", { receiverId: b.id });
      const values = { chatType: "direct", participants: [a.id, b.id].sort(), admins: [], lastMessage: null };
      expect(created).toMatchObject({ status: 201, body: known("chat", values) });
      expect(created.body).not.toHaveProperty("name");
      const found = await by(b)("POST", "/chat/create-direct", { receiverId: a.id });
      expect(found).toMatchObject({ status: 200, body: { _id: created.body._id } });
    });

    test("create-group answers the group with its trimmed name, and the creator as its admin", async () => {
      const { members } = await world.group(3);
      const [a, b, c] = members as [Person, Person, Person];
      const answer = await by(a)("POST", "/chat/create-group", { name: " Three ", participants: [b.id, c.id] });
      expect(answer).toMatchObject({ status: 201, body: known("chat", { chatType: "group", name: "Three", admins: [a.id] }) });
      expect([...answer.body.participants].sort()).toEqual([a.id, b.id, c.id].sort());
    });

    test("my-chats answers a bare array of chats, the last activity first", async () => {
      const { members, chatId } = await world.group(3);
      const [a, b] = members as [Person, Person, Person];
      const direct = (await by(a)("POST", "/chat/create-direct", { receiverId: b.id })).body._id;
      await sendUntilListedBefore(a, chatId, "Hello", b, direct);
      expect(await by(b)("GET", "/chat/my-chats")).toMatchObject({
        status: 200,
        body: [known("chat", { _id: chatId, lastMessage: id }), known("chat", { _id: direct, lastMessage: null })],
      });
      expect((await by(await world.person())("GET", "/chat/my-chats")).body).toEqual([]);
    });
  });
});
