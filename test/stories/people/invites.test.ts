/** Invites between two users: who may invite, answer and cancel, and when. Follows the transition table line by line. */
import { describe, expect, test } from "@jest/globals";
import { countByStatus, inParallel } from "../../support/concurrent.ts";
import { eventually } from "../../support/eventually.ts";
import { by, known, malformed, nobody, text } from "../../support/people/legacy-client.ts";
import type { Person } from "../../support/people/person.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

const invite = (from: Person, to: { emailId: string }, message?: string) =>
  from.post("/request/invite/send", { toEmail: to.emailId, ...(message === undefined ? {} : { message }) });
const respond = (who: Person, requestId: string, status: "accepted" | "rejected") => who.patch(`/request/respond/${requestId}`, { status });

story("Invites", (world) => {
  testNeedsSession(world, [
    ["POST", "/request/invite/send"],
    ["PATCH", `/request/respond/${nobody}`],
    ["GET", "/request/invites/sent"],
    ["GET", "/request/invites/received"],
    ["DELETE", `/request/cancel/${nobody}`],
  ]);

  test("a new invite is pending, the other user is notified, and both users have it in their lists", async () => {
    const [a, b] = await world.people(2);
    const line = await b.connect();
    const sent = await invite(a, b, "  Hello, it's me ");
    expect(sent).toMatchObject({
      status: 201,
      body: {
        message: text,
        data: known("request", { fromUserId: a.id, toUserId: b.id, status: "pending", message: "Hello, it's me" }),
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

  test("a list has the same shape from the cache and from the store, and can be filtered by status", async () => {
    const [a, b] = await world.people(2);
    await invite(a, b);
    const first = (await a.get("/request/invites/sent")).body;
    expect(first.source).toBe("database");
    expect(Object.keys(first).sort()).toEqual(["count", "data", "message", "source"]);
    const second = await eventually("the cache answers", async () => {
      const { body } = await a.get("/request/invites/sent");
      return body.source === "cache" && body;
    });
    expect({ ...second, source: "" }).toEqual({ ...first, source: "" });
    expect((await a.get("/request/invites/sent?status=accepted")).body).toMatchObject({ count: 0, data: [] });
    expect((await a.get("/request/invites/sent?status=pending")).body).toMatchObject({ count: 1 });
    expect((await a.get("/request/invites/sent?status=odd")).status).toBe(400);
  });

  describe.each([
    ["sent", 0],
    ["received", 1],
  ] as const)("GET /request/invites/%s", (list, reader) => {
    test("answers the user's own invites of every status, the newest first, as PingTalk's clients read them", async () => {
      const people = await world.people(3);
      const [a, b, c] = people;
      await respond(b, (await invite(a, b)).body.data._id, "rejected");
      await (list === "sent" ? invite(a, c) : invite(c, b));
      const answer = await by(people[reader])("GET", `/request/invites/${list}`);
      const data = ["pending", "rejected"].map((status) => expect.objectContaining(known("request", { status })));
      expect(answer).toMatchObject({ status: 200, body: { message: text, data, count: 2, source: text } });
    });
  });

  test("a second invite is refused, and an invite in the other direction accepts the first", async () => {
    const [a, b] = await world.people(2);
    const first = await invite(a, b);
    expect(await invite(a, b)).toMatchObject(refusal(409, "CONFLICT"));
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

  test("only the invited user can answer, and only once", async () => {
    const [a, b, c] = await world.people(3);
    const { _id } = (await invite(a, b)).body.data;
    for (const other of [a, c]) expect(await respond(other, _id, "accepted")).toMatchObject(refusal(404, "NOT_FOUND"));
    const line = await a.connect();
    expect(await respond(b, _id, "accepted")).toMatchObject({ status: 200, body: { data: { _id, status: "accepted" } } });
    expect(await line.waitFor("requestAnswered")).toMatchObject({ _id, status: "accepted" });
    expect(await respond(b, _id, "rejected")).toMatchObject(refusal(404, "NOT_FOUND"));
    expect((await a.get("/request/invites/sent?status=accepted")).body).toMatchObject({ count: 1 });
  });

  test.each(["accepted", "rejected"])(
    "the answer %s returns the request as PingTalk's clients read it; any other answer is refused",
    async (status) => {
      const [a, b] = await world.people(2);
      const path = `/request/respond/${(await invite(a, b)).body.data._id}`;
      const answer = (at: string, body: object) => by(b)("PATCH", at, body);
      for (const wrong of [undefined, "maybe"]) expect(await answer(path, { status: wrong })).toMatchObject(refusal(400, "VALIDATION"));
      expect(await answer(`/request/respond/${malformed}`, { status })).toMatchObject(refusal(400, "VALIDATION"));
      expect(await answer(path, { status })).toMatchObject({
        status: 200,
        body: { message: text, data: known("request", { fromUserId: a.id, toUserId: b.id, status }) },
      });
    },
  );

  test("after a rejection the sender cannot invite again right away, but the other user can", async () => {
    const [a, b] = await world.people(2);
    const { _id } = (await invite(a, b)).body.data;
    expect((await respond(b, _id, "rejected")).body.data.status).toBe("rejected");
    expect((await invite(a, b)).status).toBe(409);
    expect(await respond(b, _id, "accepted")).toMatchObject(refusal(404, "NOT_FOUND"));
    expect(await invite(b, a)).toMatchObject({ status: 201, body: { data: { status: "pending", fromUserId: b.id, toUserId: a.id } } });
  });

  test("only the sender can cancel a pending invite, and can invite again after that", async () => {
    const [a, b, c] = await world.people(3);
    const { _id } = (await invite(a, b)).body.data;
    expect(await b.delete(`/request/cancel/${_id}`)).toMatchObject(refusal(403, "FORBIDDEN"));
    expect(await c.delete(`/request/cancel/${_id}`)).toMatchObject(refusal(404, "NOT_FOUND"));
    expect(await a.delete(`/request/cancel/${malformed}`)).toMatchObject(refusal(400, "VALIDATION"));
    expect(await a.delete(`/request/cancel/${_id}`)).toMatchObject({ status: 200, body: { message: text } });
    expect((await b.get("/request/invites/received")).body.data).toEqual([]);
    expect((await respond(b, _id, "accepted")).status).toBe(404);
    expect(await a.delete(`/request/cancel/${_id}`)).toMatchObject(refusal(404, "NOT_FOUND"));
    expect(await invite(a, b)).toMatchObject({ status: 201, body: { data: { status: "pending" } } });
  });

  test("an accepted invite cannot be cancelled", async () => {
    const [a, b] = await world.people(2);
    const requestId = await world.befriend(a, b);
    expect(await a.delete(`/request/cancel/${requestId}`)).toMatchObject(refusal(409, "CONFLICT"));
    expect((await a.post("/chat/create-direct", { receiverId: b.id })).status).toBe(201);
  });

  test("an invite to yourself or to an unknown or malformed address is refused", async () => {
    const a = await world.person();
    expect(await invite(a, world.stranger())).toMatchObject(refusal(404, "NOT_FOUND"));
    for (const toEmail of [a.emailId, "nobody", undefined, 7, { $ne: "" }]) {
      expect(await a.post("/request/invite/send", { toEmail })).toMatchObject(refusal(400, "VALIDATION"));
    }
  });

  test("an invite finds the address in any spelling", async () => {
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
