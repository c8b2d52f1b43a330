import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { call } from "../../../core/contract/call.ts";
import { userChannel } from "../../../services/user-notes.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import type { DurableEvent } from "../../../core/queue/queue.ts";
import { update } from "../../../core/store/store.ts";
import authService from "../../../services/auth/auth.service.ts";
import { profile } from "../../../services/profile/contract.ts";
import profileService from "../../../services/profile/profile.service.ts";
import { pairKey, request, type ContactRequest } from "../../../services/request/contract.ts";
import { people } from "../../../services/request/email-directory.ts";
import { rejectionCooldownMs } from "../../../services/request/relations/transitions.ts";
import requestService from "../../../services/request/request.service.ts";
import { requests } from "../../../services/request/requests.repository.ts";
import {
  asUser,
  recordFeed,
  signUpUser,
  startServices,
  countOutcomes,
  type InProcessServices,
  type SignedUpUser,
} from "../../support/systems/services.ts";
import { eventually } from "../../support/eventually.ts";

let services: InProcessServices;
const events: DurableEvent[] = [];
beforeAll(async () => {
  services = await startServices(authService, profileService, requestService);
  // In the place of chat, which follows how people stand to each other.
  await portsOf(services.broker).queue.consume("chat", (event) => Promise.resolve(void events.push(event)));
});
afterAll(() => services.stop());

const refused = (code: string) => expect.objectContaining({ type: code });
const pairOfPeople = async (): Promise<[SignedUpUser, SignedUpUser]> => [
  await signUpUser(services.broker, "Ada"),
  await signUpUser(services.broker, "Ben"),
];
const invite = (from: SignedUpUser, to: Pick<SignedUpUser, "emailId">, message?: string) =>
  call(services.broker, request.invite, { toEmail: to.emailId, message }, asUser(from));
const respond = (who: SignedUpUser, { _id }: Pick<ContactRequest, "_id">, status: "accepted" | "rejected") =>
  call(services.broker, request.respond, { requestId: _id, status }, asUser(who));
const cancel = (who: SignedUpUser, { _id }: Pick<ContactRequest, "_id">) =>
  call(services.broker, request.cancel, { requestId: _id }, asUser(who));
const sent = (who: SignedUpUser, status?: "pending" | "accepted" | "rejected") =>
  call(services.broker, request.sent, { status }, asUser(who));
const received = (who: SignedUpUser, status?: "pending" | "accepted" | "rejected") =>
  call(services.broker, request.received, { status }, asUser(who));
const relation = async (a: SignedUpUser, b: SignedUpUser) =>
  (await call(services.broker, request.relations, { userId: a.userId, otherIds: [b.userId] }))[0]!;
const eventsOf = (a: SignedUpUser, b: SignedUpUser) => events.filter(({ key }) => key === pairKey(a.userId, b.userId));

test("relations are for other services only", () => {
  const { actions } = services.broker.getLocalService("request").schema as { actions: Record<string, { visibility: string }> };
  expect(actions["relations"]!.visibility).toBe("public");
});

describe("an invite", () => {
  test("is refused without a user", async () => {
    const { emailId } = await signUpUser(services.broker);
    await expect(call(services.broker, request.invite, { toEmail: emailId })).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("is pending, shows in both lists, and notifies the recipient", async () => {
    const [ada, ben] = await pairOfPeople();
    const notes = await recordFeed(services.broker, [userChannel(ada.userId), userChannel(ben.userId)]);
    const made = await invite(ada, { emailId: ` ${ben.emailId.toUpperCase()}` }, " Hello ");
    expect(made).toEqual({
      _id: expect.stringMatching(/^[0-9a-f]{24}$/),
      fromUserId: ada.userId,
      toUserId: ben.userId,
      status: "pending",
      message: "Hello",
      inviteSent: false,
      emailSent: false,
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: made.createdAt,
      __v: 0,
    });
    const user = ({ userId, firstName }: SignedUpUser) => ({ userId, firstName, lastName: "Example", profilePic: null });
    expect(await sent(ada)).toEqual({ requests: [{ ...made, user: user(ben) }], source: "database" });
    expect(await received(ben)).toEqual({ requests: [{ ...made, user: user(ada) }], source: "database" });
    await eventually("the recipient is notified", () => notes.length > 0);
    expect(notes).toEqual([{ channel: userChannel(ben.userId), message: { event: "requestReceived", data: made } }]);
  });

  test("without a message carries a greeting", async () => {
    const [ada, ben] = await pairOfPeople();
    expect((await invite(ada, ben)).message).toMatch(/\w/);
  });

  test("to yourself is invalid, and to an unknown address NotFound", async () => {
    const ada = await signUpUser(services.broker);
    await expect(invite(ada, ada)).rejects.toEqual(refused("VALIDATION"));
    await expect(invite(ada, { emailId: "nobody@example.org" })).rejects.toEqual(refused("NOT_FOUND"));
  });

  test("reaches someone who signed up just now, and still once the directory knows them", async () => {
    const [ada, ben] = await pairOfPeople();
    const carl = await signUpUser(services.broker);
    await invite(ada, ben);
    await eventually("the directory knows", async () => (await services.db("request").get(people, carl.userId))?.emailId === carl.emailId);
    expect(await invite(ada, carl)).toMatchObject({ toUserId: carl.userId });
  });

  test("sent twice is a conflict, and ten concurrent ones make one request", async () => {
    const [ada, ben] = await pairOfPeople();
    expect(await countOutcomes(Array.from({ length: 10 }, () => invite(ada, ben)))).toEqual({ ok: 1, CONFLICT: 9 });
    expect((await received(ben)).requests).toHaveLength(1);
  });

  test("that crosses the other user's accepts it, and notifies both", async () => {
    const [ada, ben] = await pairOfPeople();
    const first = await invite(ada, ben);
    const notes = await recordFeed(services.broker, [userChannel(ada.userId), userChannel(ben.userId)]);
    expect(await invite(ben, ada)).toMatchObject({ _id: first._id, status: "accepted", fromUserId: ada.userId });
    const notified = () => notes.filter(({ message }) => message.event === "requestAnswered").map(({ channel }) => channel);
    await eventually("both are notified", () => notified().length === 2);
    expect(new Set(notified())).toEqual(new Set([userChannel(ada.userId), userChannel(ben.userId)]));
    expect(await relation(ada, ben)).toMatchObject({ state: "accepted", rev: 2 });
  });

  test("that crosses another at the same moment makes one contact and no error", async () => {
    for (let round = 0; round < 20; round++) {
      const [ada, ben] = await pairOfPeople();
      const answers = await Promise.all([invite(ada, ben), invite(ben, ada)]);
      expect(answers.map(({ status }) => status).sort()).toEqual(["accepted", "pending"]);
      expect(new Set(answers.map(({ _id }) => _id)).size).toBe(1);
      expect(await relation(ada, ben)).toMatchObject({ state: "accepted" });
    }
  });

  test("after a rejection waits 24 hours for the sender, and not for the other", async () => {
    const [ada, ben] = await pairOfPeople();
    const first = await invite(ada, ben, "first");
    await respond(ben, first, "rejected");
    await expect(invite(ada, ben)).rejects.toEqual(refused("CONFLICT"));
    const dayAgo = Date.now() - rejectionCooldownMs;
    await services.db("request").commit([update(requests, { _id: first._id }, { updatedAt: dayAgo, createdAt: dayAgo })]);
    const again = await invite(ada, ben, "again");
    expect(again).toMatchObject({ status: "pending", message: "again" });
    // An answer to the old invite that comes late does not hit the new one.
    expect(again._id).not.toBe(first._id);
    await expect(respond(ben, first, "accepted")).rejects.toEqual(refused("NOT_FOUND"));
    expect(Date.parse(again.createdAt)).toBeGreaterThan(dayAgo + 1000);
    await respond(ben, again, "rejected");
    expect(await invite(ben, ada)).toMatchObject({ status: "pending", fromUserId: ben.userId, toUserId: ada.userId });
  });
});

describe("answering", () => {
  test("is refused without a user", async () => {
    const anonymous = call(services.broker, request.respond, { requestId: newId(), status: "accepted" });
    await expect(anonymous).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("makes contacts, notifies the inviter, and announces it for chat", async () => {
    const [ada, ben] = await pairOfPeople();
    const made = await invite(ada, ben);
    const notes = await recordFeed(services.broker, [userChannel(ada.userId)]);
    const answered = await respond(ben, made, "accepted");
    expect(answered).toMatchObject({ _id: made._id, status: "accepted", createdAt: made.createdAt });
    await eventually("the inviter is notified", () => notes.length > 0);
    expect(notes).toEqual([{ channel: userChannel(ada.userId), message: { event: "requestAnswered", data: answered } }]);
    await eventually("the event is out", () => eventsOf(ada, ben).length > 0);
    expect(eventsOf(ada, ben).at(-1)).toMatchObject({
      topic: "request.accepted",
      rev: 2,
      payload: {
        pair: pairKey(ada.userId, ben.userId),
        state: "accepted",
        rev: 2,
        requestId: made._id,
        fromUserId: ada.userId,
        toUserId: ben.userId,
      },
    });
    expect((await sent(ada)).requests).toMatchObject([{ status: "accepted" }]);
  });

  test("is possible only for the recipient; a missing, foreign or answered invite looks the same", async () => {
    const [ada, ben] = await pairOfPeople();
    const carl = await signUpUser(services.broker);
    const made = await invite(ada, ben);
    const refusals: Error[] = [];
    const note = (promise: Promise<unknown>) => promise.catch((error: unknown) => void refusals.push(error as Error));
    await note(respond(ada, made, "accepted"));
    await note(respond(carl, made, "accepted"));
    await note(respond(carl, { _id: newId() }, "accepted"));
    await respond(ben, made, "rejected");
    await note(respond(ben, made, "accepted"));
    expect(refusals).toHaveLength(4);
    expect(new Set(refusals.map(({ message }) => message)).size).toBe(1);
    for (const refusal of refusals) expect(refusal).toEqual(refused("NOT_FOUND"));
  });

  test("twice at once counts once, and is announced once", async () => {
    const [ada, ben] = await pairOfPeople();
    const made = await invite(ada, ben);
    const answers = (["accepted", "rejected", "accepted", "rejected"] as const).map((status) => respond(ben, made, status));
    expect(await countOutcomes(answers)).toEqual({ ok: 1, NOT_FOUND: 3 });
    await eventually("the event is out", () => eventsOf(ada, ben).length > 0);
    const { state, rev } = await relation(ada, ben);
    expect(rev).toBe(2);
    expect(new Set(eventsOf(ada, ben).map((event) => event.topic))).toEqual(new Set([`request.${state}`]));
  });
});

describe("cancelling an invite", () => {
  test("is refused without a user", async () => {
    await expect(call(services.broker, request.cancel, { requestId: newId() })).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("removes it from both lists, and a new one can be sent", async () => {
    const [ada, ben] = await pairOfPeople();
    const made = await invite(ada, ben);
    expect((await received(ben)).requests).toHaveLength(1);
    await cancel(ada, made);
    expect((await sent(ada)).requests).toEqual([]);
    expect((await received(ben)).requests).toEqual([]);
    await expect(respond(ben, made, "accepted")).rejects.toEqual(refused("NOT_FOUND"));
    await expect(cancel(ada, made)).rejects.toEqual(refused("NOT_FOUND"));
    expect(await invite(ben, ada)).toMatchObject({ status: "pending", fromUserId: ben.userId });
  });

  test("is possible only for the sender: Forbidden for the recipient, NotFound for others, Conflict once answered", async () => {
    const [ada, ben] = await pairOfPeople();
    const carl = await signUpUser(services.broker);
    const made = await invite(ada, ben);
    await expect(cancel(ben, made)).rejects.toEqual(refused("FORBIDDEN"));
    await expect(cancel(carl, made)).rejects.toEqual(refused("NOT_FOUND"));
    await expect(cancel(carl, { _id: newId() })).rejects.toEqual(refused("NOT_FOUND"));
    await respond(ben, made, "accepted");
    await expect(cancel(ada, made)).rejects.toEqual(refused("CONFLICT"));
  });

  test("raced with its acceptance: exactly one wins", async () => {
    const winners = { cancelled: 0, accepted: 0 };
    for (let round = 0; round < 20; round++) {
      const [ada, ben] = await pairOfPeople();
      const made = await invite(ada, ben);
      const both =
        round % 2 === 0 ? [cancel(ada, made), respond(ben, made, "accepted")] : [respond(ben, made, "accepted"), cancel(ada, made)];
      const { ok } = await countOutcomes(both);
      expect(ok).toBe(1);
      winners[(await relation(ada, ben)).state as keyof typeof winners]++;
    }
    expect(winners.cancelled + winners.accepted).toBe(20);
  });
});

describe("a contact's end and a block", () => {
  test("are announced once each, with state and rev, however often they are repeated", async () => {
    const [ada, ben] = await pairOfPeople();
    await respond(ben, await invite(ada, ben), "accepted");
    // Chat is away and gets no call: the change is stored, and may be repeated.
    const repeated = async (who: SignedUpUser, other: SignedUpUser, action: typeof request.end | typeof request.block) => {
      const answers = [1, 2, 3].map(() => call(services.broker, action, { userId: other.userId }, asUser(who)));
      expect(await countOutcomes(answers)).toEqual({ UNAVAILABLE: 3 });
    };
    await repeated(ada, ben, request.end);
    await repeated(ben, ada, request.block);
    await call(services.broker, request.unblock, { userId: ada.userId }, asUser(ben));
    await eventually("the events are out", () => eventsOf(ada, ben).length === 4);
    const events = eventsOf(ada, ben).map(({ topic, rev, payload }) => [topic, rev, (payload as { state: string }).state]);
    expect(events.sort()).toEqual([
      ["request.accepted", 2, "accepted"],
      ["request.blocked", 4, "blocked"],
      ["request.ended", 3, "ended"],
      ["request.unblocked", 5, "none"],
    ]);
  });
});

describe("the lists", () => {
  test("are refused without a user, also when the cache has them", async () => {
    const [ada, ben] = await pairOfPeople();
    await invite(ada, ben);
    await Promise.all([sent(ada), received(ben)]);
    await expect(call(services.broker, request.sent, {})).rejects.toEqual(refused("UNAUTHENTICATED"));
    await expect(call(services.broker, request.received, {})).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("have the newest first and can be filtered by status; cached and fresh ones are equal", async () => {
    const ada = await signUpUser(services.broker);
    const made: ContactRequest[] = [];
    const others: SignedUpUser[] = [];
    for (const name of ["Ben", "Cleo", "Dan"]) {
      others.push(await signUpUser(services.broker, name));
      made.push(await invite(ada, others.at(-1)!));
    }
    await respond(others[1]!, made[1]!, "accepted");
    const fresh = await sent(ada);
    const cached = await sent(ada);
    expect([fresh.source, cached.source]).toEqual(["database", "cache"]);
    expect(cached.requests).toEqual(fresh.requests);
    expect(fresh.requests.map(({ user }) => user?.firstName)).toEqual(["Dan", "Cleo", "Ben"]);
    expect((await sent(ada, "accepted")).requests.map(({ user }) => user?.firstName)).toEqual(["Cleo"]);
    expect((await sent(ada, "rejected")).requests).toEqual([]);
  });

  test("show a name as it is now, though the list is cached", async () => {
    const [ada, ben] = await pairOfPeople();
    await invite(ada, ben);
    await sent(ada);
    await call(services.broker, profile.patch, { firstName: "Benno" }, asUser(ben));
    const { requests: listed, source } = await sent(ada);
    expect(source).toBe("cache");
    expect(listed[0]!.user!.firstName).toBe("Benno");
  });
});

describe("relations", () => {
  test("are returned in the given order, none at rev 0 for strangers, with a rev that rises with each change", async () => {
    const [ada, ben] = await pairOfPeople();
    const carl = await signUpUser(services.broker);
    const made = await invite(ben, ada);
    await respond(ada, made, "accepted");
    const otherIds = [carl.userId, ben.userId, carl.userId];
    expect(await call(services.broker, request.relations, { userId: ada.userId, otherIds })).toEqual([
      { pair: pairKey(ada.userId, carl.userId), state: "none", rev: 0 },
      { pair: pairKey(ada.userId, ben.userId), state: "accepted", rev: 2 },
      { pair: pairKey(ada.userId, carl.userId), state: "none", rev: 0 },
    ]);
  });
});
