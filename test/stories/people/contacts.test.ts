/** Contacts: the list, ending a contact, and what an ended contact refuses on every gateway. */
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { requestJson, type ApiResponse, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const connections = (who: Person) => who.get("/request/connections");
const contactIds = async (who: Person): Promise<string[]> =>
  (await connections(who)).body.data.map(({ userId }: { userId: string }) => userId);
const end = (who: Person, other: Person) => who.delete(`/request/connections/${other.id}`);
const invite = (from: Person, to: Person) => from.post("/request/invite/send", { toEmail: to.emailId });
const send = (who: Person, chatId: string) => who.post("/chat/messages", { chatId, text: "Hello" });
const openChat = (who: Person, other: Person) => who.post("/chat/create-direct", { receiverId: other.id });
/** The path of the next page. */
const nextOf = ({ headers }: ApiResponse): string | undefined => /^<(.+)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1];

story("Contacts", (world) => {
  test.each([
    ["GET", "/request/connections"],
    ["DELETE", `/request/connections/${nobody}`],
  ])("%s %s needs a session", async (method, path) => {
    expect(await requestJson(world.gateways()[0], method, path)).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("an accepted invite makes both users contacts, with name and time; a pending one does not", async () => {
    const [a, b, c] = await world.people(3);
    await world.befriend(a, b);
    await invite(a, c);
    for (const [who, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const { id: userId, firstName, lastName } = other;
      expect(await connections(who)).toMatchObject({
        status: 200,
        body: {
          message: expect.any(String),
          count: 1,
          data: [{ userId, firstName, lastName, profilePic: null, since: expect.stringMatching(/^\d{4}-.+Z$/) }],
        },
      });
    }
    expect((await connections(c)).body).toMatchObject({ data: [], count: 0 });
  });

  test("the newest contact comes first, whoever sent the invite, and each page links to the next", async () => {
    const a = await world.person();
    const others = await world.people(5);
    for (const [i, other] of others.entries()) await (i % 2 === 0 ? world.befriend(a, other) : world.befriend(other, a));
    const newestFirst = others.map(({ id }) => id).reverse();
    expect(await contactIds(a)).toEqual(newestFirst);
    const seen: string[][] = [];
    for (let path: string | undefined = "/request/connections?limit=2"; path !== undefined;) {
      const page: ApiResponse = await a.get(path);
      seen.push(page.body.data.map(({ userId }: { userId: string }) => userId));
      path = nextOf(page);
    }
    expect(seen).toEqual([newestFirst.slice(0, 2), newestFirst.slice(2, 4), newestFirst.slice(4)]);
    expect(nextOf(await a.get("/request/connections?limit=5"))).toBeUndefined();
  });

  test("the list shows a contact's current name", async () => {
    const [a, b] = await world.people(2);
    await world.befriend(a, b);
    await connections(a);
    await b.put("/profile/patchProfile", { firstName: "Renamed" });
    expect((await connections(a)).body.data).toMatchObject([{ userId: b.id, firstName: "Renamed" }]);
  });

  test("after either user ends the contact, neither list has it, the chat stays readable, and neither can send, on any gateway", async () => {
    const { a, b, chatId } = await world.pair();
    await send(a, chatId);
    expect(await end(b, a)).toMatchObject({ status: 200, body: { message: expect.any(String) } });
    for (const url of world.gateways()) {
      for (const who of [a.at(url), b.at(url)]) {
        expect(await send(who, chatId)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
        expect((await who.get(`/chat/messages/${chatId}`)).body).toMatchObject([{ text: "Hello" }]);
        expect((await who.get("/chat/my-chats")).body).toMatchObject([{ _id: chatId }]);
        await eventually("the title is the other user's name", async () =>
          / Example$/.test((await who.get("/chat/my-chats")).body[0].title),
        );
        expect(await contactIds(who)).toEqual([]);
        for (const box of ["sent", "received"]) expect((await who.get(`/request/invites/${box}`)).body.data).toEqual([]);
      }
    }
  });

  test("after the end of a contact without a chat, neither can open one or add the other to a group", async () => {
    const [a, b, c] = await world.people(3);
    await world.befriend(a, b);
    await world.befriend(a, c);
    await end(a, b);
    for (const [who, other] of [
      [a, b],
      [b, a],
    ] as const) {
      expect((await openChat(who, other)).status).toBe(403);
    }
    expect((await a.post("/chat/create-group", { name: "Three", participants: [b.id, c.id] })).status).toBe(403);
    expect(await contactIds(a)).toEqual([c.id]);
  });

  test("the other user gets no event when a contact ends", async () => {
    const { a, b } = await world.pair();
    const line = await b.connectAndSubscribe();
    const [c] = await world.people(2);
    await end(a, b);
    await invite(c, b);
    await line.waitFor("requestReceived");
    // `positions` come every 25 s, the same whether a contact ended or was blocked.
    expect(line.received.filter(({ event }) => event !== "positions").map(({ event }) => event)).toEqual(["requestReceived"]);
  });

  test("either user can end an ended contact again; ending a contact that never was answers 404", async () => {
    const [a, b, c] = await world.people(3);
    await world.befriend(a, b);
    for (const [who, other] of [
      [a, b],
      [a, b],
      [b, a],
    ] as const) {
      expect((await end(who, other)).status).toBe(200);
    }
    await invite(a, c);
    const refused = { status: 404, body: { code: "NOT_FOUND" } };
    expect(await end(a, c)).toMatchObject(refused);
    expect(await end(c, a)).toMatchObject(refused);
    expect(await end(b, c)).toMatchObject(refused);
    expect(await end(a, a)).toMatchObject(refused);
    expect(await a.delete(`/request/connections/${nobody}`)).toMatchObject(refused);
    expect((await c.get("/request/invites/received?status=pending")).body.count).toBe(1);
  });

  test("either user can invite again, and once it is accepted both can write in the old chat right away, on any gateway", async () => {
    const { a, b, chatId } = await world.pair();
    for (const [inviter, invited] of [
      [a, b],
      [b, a],
    ] as const) {
      await end(a, b);
      const sent = await invite(inviter, invited);
      expect(sent).toMatchObject({ status: 201, body: { data: { status: "pending" } } });
      expect((await send(inviter, chatId)).status).toBe(403);
      expect((await invited.patch(`/request/respond/${sent.body.data._id}`, { status: "accepted" })).status).toBe(200);
      const answers = world.gateways().flatMap((url) => [send(a.at(url), chatId), send(b.at(url), chatId)]);
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([201, 201, 201, 201]);
      expect(await openChat(a, b)).toMatchObject({ status: 200, body: { _id: chatId } });
      expect(await contactIds(a)).toEqual([b.id]);
    }
  });

  test("a user who is notified of the acceptance can write right away", async () => {
    const { a, b, chatId } = await world.pair();
    await end(a, b);
    const line = await a.connect();
    const { _id } = (await invite(a, b)).body.data;
    const sent = line.waitFor("requestAnswered").then(() => send(a, chatId));
    await b.patch(`/request/respond/${_id}`, { status: "accepted" });
    expect((await sent).status).toBe(201);
  });

  test("the end of a contact leaves the contacts with other users", async () => {
    const [a, b, c] = await world.people(3);
    await world.befriend(a, b);
    await world.befriend(b, c);
    await end(a, b);
    expect(await contactIds(b)).toEqual([c.id]);
    expect((await openChat(b, c)).status).toBe(201);
  });

  test("a contact that both users end at the same time has ended for both", async () => {
    const [a, b] = await world.people(2);
    for (let round = 0; round < 20; round++) {
      await world.befriend(a, b);
      const answers = await Promise.all([end(a, b), end(b, a)]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect([...(await contactIds(a)), ...(await contactIds(b))]).toEqual([]);
      expect((await openChat(a, b)).status).toBe(403);
    }
  });

  test("while sends race the end of a contact, all sends that begin after its answer are refused", async () => {
    for (let round = 0; round < 5; round++) {
      const { a, b, chatId } = await world.pair();
      const writers = world.gateways().flatMap((url) => [a.at(url), b.at(url)]);
      const racing = writers.flatMap((writer) => [send(writer, chatId), send(writer, chatId)]);
      expect((await end(b, a)).status).toBe(200);
      const late = await Promise.all(writers.map((writer) => send(writer, chatId)));
      expect(late.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
      const stored = (await Promise.all(racing)).filter(({ status }) => status === 201);
      expect((await a.get(`/chat/messages/${chatId}`)).body).toHaveLength(stored.length);
    }
  });

  test.each([
    ["GET", "/request/connections?limit=0"],
    ["GET", "/request/connections?limit=201"],
    ["GET", "/request/connections?limit=many"],
    ["GET", "/request/connections?before=yesterday"],
    ["GET", "/request/connections?before=1-0123456789ABCDEF01234567"],
    ["GET", "/request/connections?order=name"],
    ["DELETE", "/request/connections/nobody"],
    ["DELETE", "/request/connections/0123456789ABCDEF01234567"],
    ["DELETE", `/request/connections/${nobody}?force=true`],
  ])("%s %s is refused, and the error names the field", async (method, path) => {
    const a = await world.person();
    const answer = await a.request(method, path);
    expect(answer).toMatchObject({ status: 400, body: { code: "VALIDATION", details: [{ field: expect.any(String) }] } });
  });
});
