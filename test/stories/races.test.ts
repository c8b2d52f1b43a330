/** What happens at once, on purpose: every race has one outcome, and everybody sees the same. */
import { expect, test } from "@jest/globals";
import { requestJson, type ApiResponse } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";

const times = <T>(count: number, make: (i: number) => Promise<T>) => Promise.all(Array.from({ length: count }, (_, i) => make(i)));
const tally = (answers: ApiResponse[]) =>
  Object.fromEntries(Object.entries(Object.groupBy(answers, ({ status }) => status)).map(([status, all]) => [status, all?.length]));

story("Races", (world) => {
  test("200 sends at once with one clientId are one message", async () => {
    const { a, b, chatId } = await world.pair();
    const gateways = world.gateways();
    const answers = await times(200, (i) => a.at(gateways[i % 2]!).post("/chat/messages", { chatId, text: "Once", clientId: "key" }));
    expect(tally(answers)).toEqual({ 200: 199, 201: 1 });
    expect(new Set(answers.map(({ body }) => body._id)).size).toBe(1);
    expect((await b.get(`/chat/messages/${chatId}`)).body).toHaveLength(1);
  });

  test("200 sends at once with one clientId over sockets are one message, heard once", async () => {
    const { a, b, chatId } = await world.pair();
    const lines = await Promise.all(world.gateways().map((url) => a.at(url).connect()));
    const reader = await b.connectAndSubscribe();
    const stored = await times(200, (i) => lines[i % 2]!.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "key" }));
    expect(new Set(stored.map(({ _id }) => _id)).size).toBe(1);
    await a.post("/chat/messages", { chatId, text: "Last" });
    await reader.waitFor("receiveMessage", ({ text }) => text === "Last");
    expect(reader.payloadsOf("receiveMessage").map(({ n, text }) => [n, text])).toEqual([
      [1, "Once"],
      [2, "Last"],
    ]);
    for (const line of lines) line.close();
  });

  test("twenty create-direct at once from both sides make one chat, usable", async () => {
    const [a, b] = await world.people(2);
    await world.befriend(a, b);
    const answers = await times(20, (i) =>
      i % 2 === 0 ? a.post("/chat/create-direct", { receiverId: b.id }) : b.post("/chat/create-direct", { receiverId: a.id }),
    );
    expect(tally(answers)).toEqual({ 200: 19, 201: 1 });
    const [chatId, ...others] = new Set(answers.map(({ body }) => body._id as string));
    expect(others).toEqual([]);
    expect((await a.post("/chat/messages", { chatId, text: "Here?" })).status).toBe(201);
    expect((await b.get(`/chat/messages/${chatId}`)).body).toMatchObject([{ n: 1, text: "Here?" }]);
    expect((await b.get("/chat/my-chats")).body).toHaveLength(1);
  });

  test("ten sign-ups with one address make one account", async () => {
    const { firstName, lastName, emailId, password } = world.stranger();
    const gateways = world.gateways();
    const answers = await times(10, (i) =>
      requestJson(gateways[i % 2]!, "POST", "/auth/signup", { body: { firstName, lastName, emailId, password } }),
    );
    expect(tally(answers)).toEqual({ 201: 1, 409: 9 });
    const made = answers.find(({ status }) => status === 201)?.body.data._id;
    expect((await requestJson(gateways[1], "POST", "/auth/login", { body: { emailId, password } })).body.data.id).toBe(made);
  });

  test("crossing invites make one contact", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = await world.people(2);
      const [one, other] = await Promise.all([
        a.post("/request/invite/send", { toEmail: b.emailId }),
        b.post("/request/invite/send", { toEmail: a.emailId }),
      ]);
      expect([one.status, other.status]).toEqual([201, 201]);
      expect([one.body.data.status, other.body.data.status].sort()).toEqual(["accepted", "pending"]);
      expect(one.body.data._id).toBe(other.body.data._id);
      expect((await a.post("/chat/create-direct", { receiverId: b.id })).status).toBe(201);
    }
  });

  test("an invite answered twice at once has one answer", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = await world.people(2);
      const { _id } = (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data;
      const gateways = world.gateways();
      const answers = await times(2, (i) =>
        b.at(gateways[i]!).patch(`/request/respond/${_id}`, { status: i === 0 ? "accepted" : "rejected" }),
      );
      expect(tally(answers)).toEqual({ 200: 1, 404: 1 });
      const said = answers.find(({ status }) => status === 200)?.body.data.status;
      for (const [who, box] of [
        [a, "sent"],
        [b, "received"],
      ] as const) {
        expect((await who.get(`/request/invites/${box}`)).body.data).toMatchObject([{ _id, status: said }]);
      }
      expect((await a.post("/chat/create-direct", { receiverId: b.id })).status).toBe(said === "accepted" ? 201 : 403);
    }
  });

  test("an invite taken back and answered at once has one outcome", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = await world.people(2);
      const { _id } = (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data;
      const [cancelled, answered] = await Promise.all([
        a.delete(`/request/cancel/${_id}`),
        b.patch(`/request/respond/${_id}`, { status: "accepted" }),
      ]);
      expect([cancelled.status, answered.status].filter((status) => status === 200)).toHaveLength(1);
      expect((await b.post("/chat/create-direct", { receiverId: a.id })).status).toBe(answered.status === 200 ? 201 : 403);
    }
  });

  test("ten groups asked for at once are ten groups", async () => {
    const { members } = await world.group(3);
    const [founder, ...others] = members;
    const participants = others.map(({ id }) => id);
    const answers = await times(10, (i) => founder.post("/chat/create-group", { name: `Group ${i}`, participants }));
    expect(tally(answers)).toEqual({ 201: 10 });
    expect((await others[0]!.get("/chat/my-chats")).body).toHaveLength(11);
  });

  test("a profile read after an answered change is never the older one", async () => {
    const someone = await world.person();
    const reader = someone.at(world.gateways()[1]);
    for (let age = 1; age <= 50; age++) {
      const racing = [reader.get("/profile/getProfile"), reader.get("/profile/getProfile")];
      await someone.put("/profile/patchProfile", { age });
      expect((await reader.get("/profile/getProfile")).body.data.age).toBe(age);
      await Promise.all(racing);
    }
  });
});
