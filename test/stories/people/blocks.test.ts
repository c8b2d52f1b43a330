/** Blocks: what they end and refuse on every gateway, and that a blocked user cannot tell a block from an ended contact. */
import { expect, test } from "@jest/globals";
import { requestJson, type ApiResponse, type Person } from "../../support/people/person.ts";
import { story, type StoryWorld } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const block = (who: Person, other: Person) => who.put(`/request/blocks/${other.id}`);
const unblock = (who: Person, other: Person) => who.delete(`/request/blocks/${other.id}`);
const end = (who: Person, other: Person) => who.delete(`/request/connections/${other.id}`);
const invite = (from: Person, to: { emailId: string }) => from.post("/request/invite/send", { toEmail: to.emailId });
const respond = (who: Person, requestId: string, status = "accepted") => who.patch(`/request/respond/${requestId}`, { status });
const send = (who: Person, chatId: string) => who.post("/chat/messages", { chatId, text: "Hello" });
const openChat = (who: Person, other: Person) => who.post("/chat/create-direct", { receiverId: other.id });

const idsOf = ({ body }: ApiResponse): string[] => body.data.map(({ userId }: { userId: string }) => userId);
const blocked = async (who: Person) => idsOf(await who.get("/request/blocks"));
const contacts = async (who: Person) => idsOf(await who.get("/request/connections"));
const invites = async (who: Person) => {
  const boxes = await Promise.all(["sent", "received"].map((box) => who.get(`/request/invites/${box}`)));
  return boxes.flatMap(({ body }) => body.data as unknown[]);
};

/** The answer without its request id, to compare answers about different users. */
const withoutRequestId = ({ status, body }: ApiResponse) => ({ status, body: { ...body, requestId: undefined } });

/** Expects the block of one user by the other in all lists and answers, on every gateway. */
async function expectBlocked(world: StoryWorld, blocker: Person, other: Person): Promise<void> {
  const views = world.gateways().flatMap((url) => [blocker.at(url), other.at(url)]);
  const seen = views.map(async (who) => ({ blocked: await blocked(who), contacts: await contacts(who), invites: await invites(who) }));
  const ofBlocker = { blocked: [other.id], contacts: [], invites: [] };
  const ofOther = { ...ofBlocker, blocked: [] };
  expect(await Promise.all(seen)).toEqual([ofBlocker, ofOther, ofBlocker, ofOther]);
  const chats = await Promise.all([openChat(blocker, other), openChat(other, blocker)]);
  expect(chats.map(({ status }) => status)).toEqual([403, 403]);
  expect((await invite(blocker, other)).status).toBe(409);
  expect(withoutRequestId(await invite(other, blocker))).toEqual(withoutRequestId(await invite(other, world.stranger())));
}

story("Blocks", (world) => {
  test.each([
    ["GET", "/request/blocks"],
    ["PUT", `/request/blocks/${nobody}`],
    ["DELETE", `/request/blocks/${nobody}`],
  ])("%s %s needs a session", async (method, path) => {
    const answer = await requestJson(world.gateways()[0], method, path, method === "PUT" ? { body: {} } : {});
    expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("a blocked stranger is in your list of blocks, and cannot invite you or open a chat", async () => {
    const [a, b] = await world.people(2);
    expect(await block(a, b)).toMatchObject({ status: 200, body: { message: expect.any(String) } });
    const { firstName, lastName } = b;
    expect((await a.get("/request/blocks")).body).toMatchObject({
      message: expect.any(String),
      count: 1,
      data: [{ userId: b.id, firstName, lastName, profilePic: null, since: expect.stringMatching(/^\d{4}-.+Z$/) }],
    });
    await expectBlocked(world, a, b);
  });

  test("a block ends the contact; the chat stays readable, and neither user can send, on any gateway", async () => {
    const { a, b, chatId } = await world.pair();
    await send(b, chatId);
    expect((await block(a, b)).status).toBe(200);
    for (const url of world.gateways()) {
      for (const who of [a.at(url), b.at(url)]) {
        expect(await send(who, chatId)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
        expect((await who.get(`/chat/messages/${chatId}`)).body).toMatchObject([{ text: "Hello" }]);
        expect(await contacts(who)).toEqual([]);
        expect(await invites(who)).toEqual([]);
      }
    }
  });

  test("after a block neither user can create a group with the other", async () => {
    const { members } = await world.group(3);
    const [a, b, c] = members as [Person, Person, Person];
    await block(a, b);
    await world.befriend(b, c);
    expect((await a.post("/chat/create-group", { name: "Again", participants: [b.id, c.id] })).status).toBe(403);
    expect((await b.post("/chat/create-group", { name: "Theirs", participants: [a.id, c.id] })).status).toBe(403);
  });

  test("a block by either user prevents adding the other to a group; members of a group stay", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, inside] = members as [Person, Person, Person];
    const outside = await world.person();
    await world.befriend(founder, outside);
    const add = () => founder.put("/chat/add-to-group", { chatId, userIdToAdd: outside.id });
    await block(outside, founder);
    expect(await add()).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    await block(founder, outside);
    await unblock(outside, founder);
    expect((await add()).status).toBe(403);
    await unblock(founder, outside);
    expect((await add()).status).toBe(403);
    await world.befriend(founder, outside);
    expect((await add()).status).toBe(200);
    await block(founder, inside);
    expect((await send(inside, chatId)).status).toBe(201);
  });

  test("a block removes a pending invite in either direction for both, and it cannot be answered or cancelled", async () => {
    for (const [from, to] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const people = await world.people(2);
      const [a, b] = people;
      const { _id } = (await invite(people[from], people[to])).body.data;
      expect(await invites(b)).toHaveLength(1);
      await block(a, b);
      await expectBlocked(world, a, b);
      for (const who of people) {
        expect(withoutRequestId(await respond(who, _id))).toEqual(withoutRequestId(await respond(who, nobody)));
        expect(withoutRequestId(await who.delete(`/request/cancel/${_id}`))).toEqual(
          withoutRequestId(await who.delete(`/request/cancel/${nobody}`)),
        );
      }
    }
  });

  test("to the blocked user a block looks like the end of the contact", async () => {
    const { a: ended, b: left, chatId } = await world.pair();
    const { a: blocker, b: refused, chatId: otherChatId } = await world.pair();
    await end(ended, left);
    await block(blocker, refused);
    const views = await Promise.all(
      [[left, ended, chatId] as const, [refused, blocker, otherChatId] as const].map(async ([who, other, id]) => [
        withoutRequestId(await who.get("/request/connections")),
        withoutRequestId(await who.get("/request/blocks")),
        (await who.get("/request/invites/sent")).body.data,
        (await who.get("/request/invites/received")).body.data,
        withoutRequestId(await send(who, id)),
        (await openChat(who, other)).status,
        withoutRequestId(await end(who, other)),
        withoutRequestId(await unblock(who, other)),
        Object.keys((await who.get(`/profile/profile/${other.id}`)).body.data),
        Object.keys((await who.get(`/profile/profile/${other.id}`)).body),
      ]),
    );
    expect(views[1]).toEqual(views[0]);
    expect(withoutRequestId(await block(refused, blocker))).toEqual(withoutRequestId(await block(left, ended)));
  });

  test("the other user gets no event about a block or its removal", async () => {
    const { a, b } = await world.pair();
    const c = await world.person();
    const line = await b.connectAndSubscribe();
    await block(a, b);
    await unblock(a, b);
    await invite(c, b);
    await line.waitFor("requestReceived");
    // `positions` come every 25 s, the same whether a contact ended or was blocked.
    expect(line.received.filter(({ event }) => event !== "positions").map(({ event }) => event)).toEqual(["requestReceived"]);
  });

  test("blocking again changes nothing", async () => {
    const [a, b] = await world.people(2);
    await block(a, b);
    const first = (await a.get("/request/blocks")).body;
    expect((await block(a, b)).status).toBe(200);
    expect((await a.get("/request/blocks")).body).toEqual(first);
    expect((await unblock(a, b)).status).toBe(200);
    expect(await blocked(a)).toEqual([]);
  });

  test("after the block is removed, a new invite is needed before both can write in the old chat", async () => {
    const { a, b, chatId } = await world.pair();
    await block(a, b);
    expect(await unblock(a, b)).toMatchObject({ status: 200, body: { message: expect.any(String) } });
    for (const who of [a, b]) {
      expect(await contacts(who)).toEqual([]);
      expect(await invites(who)).toEqual([]);
      expect((await send(who, chatId)).status).toBe(403);
    }
    const invited = await invite(b, a);
    expect(invited).toMatchObject({ status: 201, body: { data: { status: "pending" } } });
    expect((await respond(a, invited.body.data._id)).status).toBe(200);
    expect((await send(b, chatId)).status).toBe(201);
    expect((await send(a, chatId)).status).toBe(201);
  });

  test("when both block each other, each removes only their own block, and cannot tell that the other still blocks", async () => {
    const { a, b, chatId } = await world.pair();
    await block(a, b);
    expect((await block(b, a)).status).toBe(200);
    expect([await blocked(a), await blocked(b)]).toEqual([[b.id], [a.id]]);
    expect((await invite(b, a)).status).toBe(409);

    const unblocked = await unblock(a, b);
    expect(await blocked(a)).toEqual([]);
    expect(await blocked(b)).toEqual([a.id]);
    expect(withoutRequestId(await invite(a, b))).toEqual(withoutRequestId(await invite(a, world.stranger())));
    expect((await invite(b, a)).status).toBe(409);
    expect((await send(a, chatId)).status).toBe(403);
    expect((await unblock(a, b)).status).toBe(404);

    expect(withoutRequestId(await unblock(b, a))).toEqual(withoutRequestId(unblocked));
    expect((await invite(a, b)).status).toBe(201);
    expect((await invite(b, a)).body.data.status).toBe("accepted");
    expect((await send(a, chatId)).status).toBe(201);
  });

  test("you cannot block yourself or an unknown user, and can remove only your own blocks", async () => {
    const [a, b, c] = await world.people(3);
    expect(await block(a, a)).toMatchObject({ status: 400, body: { code: "VALIDATION", details: [{ field: "userId" }] } });
    expect(await a.put(`/request/blocks/${nobody}`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect(await blocked(a)).toEqual([]);
    await block(a, b);
    for (const [who, other] of [
      [b, a],
      [c, b],
      [a, c],
      [a, a],
    ] as const) {
      expect(await unblock(who, other)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    }
    expect(await blocked(a)).toEqual([b.id]);
  });

  test("a new user can be blocked right away", async () => {
    const a = await world.person();
    for (let i = 0; i < 5; i++) expect((await block(a, await world.person())).status).toBe(200);
    expect(await blocked(a)).toHaveLength(5);
  });

  test("the newest block comes first, and each page links to the next", async () => {
    const a = await world.person();
    const others = await world.people(5);
    for (const other of others) await block(a, other);
    const newestFirst = others.map(({ id }) => id).reverse();
    expect(await blocked(a)).toEqual(newestFirst);
    const seen: string[] = [];
    for (let path: string | undefined = "/request/blocks?limit=2"; path !== undefined;) {
      const page: ApiResponse = await a.get(path);
      seen.push(...idsOf(page));
      path = /^<(.+)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1];
    }
    expect(seen).toEqual(newestFirst);
  });

  test("after a block and an acceptance at the same time, the user is blocked", async () => {
    const [a, b] = await world.people(2);
    for (let round = 0; round < 20; round++) {
      const [blocker, other] = round % 2 === 0 ? [a, b] : [b, a];
      const { _id } = (await invite(a, b)).body.data;
      const [answered, done] = await Promise.all([respond(b, _id), block(blocker, other)]);
      expect([200, 404]).toContain(answered.status);
      expect(done.status).toBe(200);
      await expectBlocked(world, blocker, other);
      await unblock(blocker, other);
    }
  });

  test("after a block and two crossing invites at the same time, the user is blocked", async () => {
    const [a, b] = await world.people(2);
    for (let round = 0; round < 20; round++) {
      const [one, other, done] = await Promise.all([invite(a, b), invite(b, a), block(a, b)]);
      expect([201, 409]).toContain(one.status);
      expect([201, 404]).toContain(other.status);
      expect(done.status).toBe(200);
      await expectBlocked(world, a, b);
      await unblock(a, b);
    }
  });

  test("when two users block each other at the same time, both blocks hold, and each removes their own", async () => {
    const [a, b] = await world.people(2);
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all([block(a, b), block(b, a), block(a, b)]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect([await blocked(a), await blocked(b)]).toEqual([[b.id], [a.id]]);
      const unblocked = await Promise.all([unblock(a, b), unblock(b, a)]);
      expect(unblocked.map(({ status }) => status)).toEqual([200, 200]);
      expect((await invite(a, b)).status).toBe(201);
    }
  });

  test("while a chat's creation and sends race a block, all that begin after its answer are refused", async () => {
    for (let round = 0; round < 10; round++) {
      const [a, b] = await world.people(2);
      await world.befriend(a, b);
      const writing = world.gateways().map(async (url) => {
        const { status, body } = await openChat(b.at(url), a);
        return status < 300 ? send(b.at(url), body._id) : undefined;
      });
      expect((await block(a, b)).status).toBe(200);
      const late = await openChat(b, a);
      if (late.status === 200) expect((await send(b, late.body._id)).status).toBe(403);
      else expect(late.status).toBe(403);
      await Promise.all(writing);
      for (const { _id } of (await b.get("/chat/my-chats")).body) expect((await send(b, _id)).status).toBe(403);
    }
  });

  test.each([
    ["GET", "/request/blocks?limit=0"],
    ["GET", "/request/blocks?limit=1.5"],
    ["GET", "/request/blocks?before=0"],
    ["GET", "/request/blocks?of=everybody"],
    ["PUT", "/request/blocks/nobody"],
    ["PUT", "/request/blocks/0123456789ABCDEF01234567"],
    ["DELETE", "/request/blocks/%00"],
    ["DELETE", `/request/blocks/${nobody}?userId=${nobody}`],
  ])("%s %s is refused, and the error names the field", async (method, path) => {
    const a = await world.person();
    const answer = await a.request(method, path);
    expect(answer).toMatchObject({ status: 400, body: { code: "VALIDATION", details: [{ field: expect.any(String) }] } });
  });

  test("a block refuses a body with fields", async () => {
    const [a, b] = await world.people(2);
    const refused = { status: 400, body: { code: "VALIDATION" } };
    expect(await a.put(`/request/blocks/${b.id}`, { userId: a.id })).toMatchObject(refused);
    expect(await a.put(`/request/blocks/${b.id}`, { until: "tomorrow" })).toMatchObject(refused);
    expect(await a.put(`/request/blocks/${b.id}`, [b.id])).toMatchObject(refused);
    expect((await a.request("PUT", `/request/blocks/${b.id}`)).status).toBe(200);
    expect(await a.request("DELETE", `/request/blocks/${b.id}`, { body: { until: "tomorrow" } })).toMatchObject(refused);
    expect(await blocked(a)).toEqual([b.id]);
  });
});
