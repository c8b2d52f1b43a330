/** Invites between two people, line by line of the state table: who may ask, answer and take back, and when. */
import { expect, test } from "@jest/globals";
import { countByStatus, inParallel } from "../../support/concurrent.ts";
import { eventually } from "../../support/eventually.ts";
import { requestJson, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const invite = (from: Person, to: { emailId: string }, message?: string) =>
  from.post("/request/invite/send", { toEmail: to.emailId, ...(message === undefined ? {} : { message }) });
const respond = (who: Person, requestId: string, status: "accepted" | "rejected") => who.patch(`/request/respond/${requestId}`, { status });

story("Invites", (world) => {
  test.each([
    ["POST", "/request/invite/send"],
    ["PATCH", `/request/respond/${nobody}`],
    ["GET", "/request/invites/sent"],
    ["GET", "/request/invites/received"],
    ["DELETE", `/request/cancel/${nobody}`],
  ])("%s %s needs a session", async (method, path) => {
    const answer = await requestJson(world.gateways()[0], method, path, method === "POST" || method === "PATCH" ? { body: {} } : {});
    expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("an invite is pending, is heard by the other at once, and stands in both lists", async () => {
    const [a, b] = await world.people(2);
    const line = await b.connect();
    const sent = await invite(a, b, "  Hello, it's me ");
    expect(sent).toMatchObject({
      status: 201,
      body: {
        message: expect.any(String),
        data: { _id: expect.any(String), fromUserId: a.id, toUserId: b.id, status: "pending", message: "Hello, it's me" },
      },
    });
    const { _id } = sent.body.data;
    expect(await line.waitFor("requestReceived")).toMatchObject({ _id, fromUserId: a.id, status: "pending" });
    const inBox = (await b.get("/request/invites/received")).body;
    expect(inBox).toMatchObject({
      count: 1,
      data: [{ _id, user: { userId: a.id, firstName: a.firstName, lastName: a.lastName, profilePic: null } }],
    });
    expect((await a.get("/request/invites/sent")).body).toMatchObject({ count: 1, data: [{ _id, user: { userId: b.id } }] });
    expect((await a.get("/request/invites/received")).body).toMatchObject({ count: 0, data: [] });
  });

  test("the lists have one shape, from the cache and from the store, and can be cut by status", async () => {
    const [a, b] = await world.people(2);
    await invite(a, b);
    const first = (await a.get("/request/invites/sent")).body;
    const second = await eventually("the cache answers", async () => {
      const { body } = await a.get("/request/invites/sent");
      return body.source === "cache" && body;
    });
    expect({ ...second, source: "" }).toEqual({ ...first, source: "" });
    expect((await a.get("/request/invites/sent?status=accepted")).body).toMatchObject({ count: 0, data: [] });
    expect((await a.get("/request/invites/sent?status=pending")).body).toMatchObject({ count: 1 });
    expect((await a.get("/request/invites/sent?status=odd")).status).toBe(400);
  });

  test("the sender can't ask twice; the other's own invite accepts", async () => {
    const [a, b] = await world.people(2);
    const first = await invite(a, b);
    expect(await invite(a, b)).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    const line = await a.connect();
    expect(await invite(b, a)).toMatchObject({ status: 201, body: { data: { status: "accepted" } } });
    expect(await line.waitFor("requestAnswered")).toMatchObject({ _id: first.body.data._id, status: "accepted" });
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      expect((await invite(from, to)).status).toBe(409);
    }
  });

  test("only who was asked may answer, once", async () => {
    const [a, b, c] = await world.people(3);
    const { _id } = (await invite(a, b)).body.data;
    for (const other of [a, c]) expect(await respond(other, _id, "accepted")).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    const line = await a.connect();
    expect(await respond(b, _id, "accepted")).toMatchObject({ status: 200, body: { data: { _id, status: "accepted" } } });
    expect(await line.waitFor("requestAnswered")).toMatchObject({ _id, status: "accepted" });
    expect((await respond(b, _id, "rejected")).status).toBe(404);
    expect((await a.get("/request/invites/sent?status=accepted")).body).toMatchObject({ count: 1 });
  });

  test("a rejected sender waits a day, the other may ask any time", async () => {
    const [a, b] = await world.people(2);
    const { _id } = (await invite(a, b)).body.data;
    expect((await respond(b, _id, "rejected")).body.data.status).toBe("rejected");
    expect((await invite(a, b)).status).toBe(409);
    expect((await respond(b, _id, "accepted")).status).toBe(404);
    expect(await invite(b, a)).toMatchObject({ status: 201, body: { data: { status: "pending", fromUserId: b.id, toUserId: a.id } } });
  });

  test("only the sender takes a pending invite back, and may ask again", async () => {
    const [a, b, c] = await world.people(3);
    const { _id } = (await invite(a, b)).body.data;
    expect(await b.delete(`/request/cancel/${_id}`)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect(await c.delete(`/request/cancel/${_id}`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect((await a.delete(`/request/cancel/${_id}`)).status).toBe(200);
    expect((await respond(b, _id, "accepted")).status).toBe(404);
    expect((await a.delete(`/request/cancel/${_id}`)).status).toBe(404);
    expect(await invite(a, b)).toMatchObject({ status: 201, body: { data: { status: "pending" } } });
  });

  test("an answered invite can't be taken back", async () => {
    const [a, b] = await world.people(2);
    const requestId = await world.befriend(a, b);
    expect([404, 409]).toContain((await a.delete(`/request/cancel/${requestId}`)).status);
    expect((await a.post("/chat/create-direct", { receiverId: b.id })).status).toBe(201);
  });

  test("nobody invites themselves or an unknown address", async () => {
    const a = await world.person();
    expect(await invite(a, a)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    expect(await invite(a, world.stranger())).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect(await a.post("/request/invite/send", { toEmail: "nobody" })).toMatchObject({ status: 400 });
    expect(await a.post("/request/invite/send", {})).toMatchObject({ status: 400 });
  });

  test("an address is found however it is written", async () => {
    const [a, b] = await world.people(2);
    expect((await invite(a, { emailId: ` ${b.emailId.toUpperCase()} ` })).status).toBe(201);
  });

  test("a new user can be invited right away, and an accepted contact can open a chat right away, at any gateway", async () => {
    const [first, second] = world.gateways();
    for (let round = 0; round < 5; round++) {
      const [a, b] = await world.people(2);
      const { status, body } = await invite(a.at(first), b.at(second));
      expect(status).toBe(201);
      expect((await respond(b.at(second), body.data._id, "accepted")).status).toBe(200);
      expect((await a.at(first).post("/chat/create-direct", { receiverId: b.id })).status).toBe(201);
    }
  });

  test("both users see an invite's new state right after it changes, at every gateway", async () => {
    const [a, b] = await world.people(2);
    const views = world.gateways().flatMap((url) => [a.at(url), b.at(url)]);
    const statuses = () =>
      Promise.all(
        views.map(async (user) => {
          const lists = await Promise.all(["sent", "received"].map((list) => user.get(`/request/invites/${list}`)));
          return lists.flatMap(({ body }) => body.data).map(({ status }) => status);
        }),
      );
    const inAllViews = (...expected: string[]) => views.map(() => expected);
    expect(await statuses()).toEqual(inAllViews());
    const { _id } = (await invite(a, b)).body.data;
    expect(await statuses()).toEqual(inAllViews("pending"));
    await respond(b, _id, "rejected");
    expect(await statuses()).toEqual(inAllViews("rejected"));
    const again = (await invite(b, a)).body.data;
    await b.delete(`/request/cancel/${again._id}`);
    expect(await statuses()).toEqual(inAllViews());
  });

  test("a user who rejected an invite may invite the sender, and both are contacts once that is accepted", async () => {
    const [a, b] = await world.people(2);
    await respond(b, (await invite(a, b)).body.data._id, "rejected");
    const invited = await invite(b, a);
    expect(invited).toMatchObject({ status: 201, body: { data: { status: "pending" } } });
    expect((await respond(a, invited.body.data._id, "accepted")).status).toBe(200);
  });

  test("repeated and crossing invites make one contact", async () => {
    const [a, b] = await world.people(2);
    const repeated = await Promise.all(world.gateways().map((url) => invite(a.at(url), b)));
    expect(countByStatus(repeated)).toEqual({ 201: 1, 409: 1 });
    expect((await invite(b, a)).body.data).toMatchObject({ status: "accepted" });
    expect((await b.get("/request/connections")).body).toMatchObject({ count: 1, data: [{ userId: a.id }] });
  });

  test("two users who invite each other at the same time become contacts", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = await world.people(2);
      const [one, other] = await Promise.all([invite(a, b), invite(b, a)]);
      expect([one.status, other.status]).toEqual([201, 201]);
      expect([one.body.data.status, other.body.data.status].sort()).toEqual(["accepted", "pending"]);
      expect(one.body.data._id).toBe(other.body.data._id);
      expect((await a.post("/chat/create-direct", { receiverId: b.id })).status).toBe(201);
    }
  });

  test("of two concurrent answers to an invite, one succeeds and both users see it", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = await world.people(2);
      const { _id } = (await invite(a, b)).body.data;
      const gateways = world.gateways();
      const answers = await inParallel(2, (i) => respond(b.at(gateways[i]!), _id, i === 0 ? "accepted" : "rejected"));
      expect(countByStatus(answers)).toEqual({ 200: 1, 404: 1 });
      const outcome = answers.find(({ status }) => status === 200)?.body.data.status;
      for (const [user, list] of [
        [a, "sent"],
        [b, "received"],
      ] as const) {
        expect((await user.get(`/request/invites/${list}`)).body.data).toMatchObject([{ _id, status: outcome }]);
      }
      expect((await a.post("/chat/create-direct", { receiverId: b.id })).status).toBe(outcome === "accepted" ? 201 : 403);
    }
  });

  test("of a cancellation and an acceptance at the same time, one succeeds", async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = await world.people(2);
      const { _id } = (await invite(a, b)).body.data;
      const [cancelled, answered] = await Promise.all([a.delete(`/request/cancel/${_id}`), respond(b, _id, "accepted")]);
      expect([cancelled.status, answered.status].filter((status) => status === 200)).toHaveLength(1);
      expect((await b.post("/chat/create-direct", { receiverId: a.id })).status).toBe(answered.status === 200 ? 201 : 403);
    }
  });
});
