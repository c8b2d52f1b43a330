/** Chats: direct ones between contacts, groups of contacts, and the list of one's own. */
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { requestJson } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";

story("Chats", (world) => {
  test.each([
    ["POST", "/chat/create-direct"],
    ["POST", "/chat/create-group"],
    ["GET", "/chat/my-chats"],
  ])("%s %s needs a session", async (method, path) => {
    const answer = await requestJson(world.gateways()[0], method, path, method === "POST" ? { body: {} } : {});
    expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("a direct chat is for contacts only", async () => {
    const [a, b] = await world.people(2);
    const open = () => a.post("/chat/create-direct", { receiverId: b.id });
    expect(await open()).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    const invited = await a.post("/request/invite/send", { toEmail: b.emailId });
    expect((await open()).status).toBe(403);
    await b.patch(`/request/respond/${invited.body.data._id}`, { status: "accepted" });
    expect((await open()).status).toBe(201);
  });

  test("two people have one direct chat, whoever opens it", async () => {
    const { a, b, chatId } = await world.pair();
    for (const [who, other] of [
      [a, b],
      [b, a],
    ] as const) {
      // A name that does not come soon is left out for once.
      const answer = await eventually("the other has a name", async () => {
        const opened = await who.post("/chat/create-direct", { receiverId: other.id });
        return opened.body.title !== "Someone" && opened;
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

  test("the other hears of a new chat", async () => {
    const [a, b] = await world.people(2);
    await world.befriend(a, b);
    const line = await b.connectAndSubscribe();
    const { _id } = (await a.post("/chat/create-direct", { receiverId: b.id })).body;
    expect(await line.waitFor("chatChanged", (chat) => chat._id === _id)).toMatchObject({ chatType: "direct" });
  });

  test("no chat with oneself, with nobody, or by a malformed id", async () => {
    const a = await world.person();
    expect((await a.post("/chat/create-direct", { receiverId: a.id })).status).toBe(400);
    expect([403, 404]).toContain((await a.post("/chat/create-direct", { receiverId: nobody })).status);
    expect((await a.post("/chat/create-direct", { receiverId: a.id.toUpperCase() + "zz" })).status).toBe(400);
    expect((await a.post("/chat/create-direct", {})).status).toBe(400);
  });

  test("a group is made of contacts, its maker is the admin, and its first message says so", async () => {
    const { members, chatId } = await world.group(4);
    const [founder] = members;
    const ids = members.map(({ id }) => id).sort();
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

  test.each([
    ["one other", 1],
    ["the same one twice", 2],
  ])("a group of %s is refused", async (_what, times) => {
    const { a, b } = await world.pair();
    const answer = await a.post("/chat/create-group", { name: "Too small", participants: Array.from({ length: times }, () => b.id) });
    expect(answer).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
  });

  test("a group with somebody who is no contact, or with nobody, is refused", async () => {
    const { a, b } = await world.pair();
    const stranger = await world.person();
    for (const id of [stranger.id, nobody]) {
      expect(await a.post("/chat/create-group", { name: "Not all friends", participants: [b.id, id] })).toMatchObject({
        status: 403,
        body: { code: "FORBIDDEN" },
      });
    }
    expect((await stranger.get("/chat/my-chats")).body).toEqual([]);
  });

  test("a group needs a name", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, ...others] = members;
    const create = (name: unknown) => founder.post("/chat/create-group", { name, participants: others.map(({ id }) => id) });
    for (const name of [undefined, "", "   ", 7, "x".repeat(101)]) {
      expect(await create(name)).toMatchObject({ status: 400, body: { code: "VALIDATION", details: [{ field: "name" }] } });
    }
    const named = await create("x".repeat(100));
    expect(named).toMatchObject({ status: 201, body: { name: "x".repeat(100) } });
    const chatIds = (await founder.get("/chat/my-chats")).body.map(({ _id }: { _id: string }) => _id);
    expect([...chatIds].sort()).toEqual([chatId, named.body._id].sort());
  });

  test("one's chats come last activity first, with what is unread", async () => {
    const [a, b, c] = await world.people(3);
    const chatIds: string[] = [];
    for (const other of [b, c]) {
      await world.befriend(a, other);
      chatIds.push((await a.post("/chat/create-direct", { receiverId: other.id })).body._id);
    }
    await b.post("/chat/messages", { chatId: chatIds[0], text: "one" });
    await c.post("/chat/messages", { chatId: chatIds[1], text: "two" });
    // Two nodes may write these chats, each by its own clock: the last message is repeated until it is the later one by either.
    let sent = 1;
    const chats = await eventually("the first chat's time is past the other's", async () => {
      await b.post("/chat/messages", { chatId: chatIds[0], text: "three" });
      sent++;
      const listed = (await a.get("/chat/my-chats")).body;
      const [first, second] = chatIds.map((id) => listed.find(({ _id }: { _id: string }) => _id === id).updatedAt);
      return first > second && listed;
    });
    expect(chats.map(({ _id }: { _id: string }) => _id)).toEqual(chatIds);
    expect(chats[0]).toMatchObject({
      unread: sent,
      lastN: sent,
      lastMessagePreview: { n: sent, senderId: b.id, text: "three", kind: "text" },
    });
    expect((await b.get("/chat/my-chats")).body[0]).toMatchObject({ unread: 0 });
  });

  test("a long list of chats comes in pages", async () => {
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
      seen.push(...answer.body.map(({ _id }: { _id: string }) => _id));
      path = /<([^>]*)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    }
    expect(new Set(seen).size).toBe(3);
    expect(seen).toHaveLength(3);
  });
});
