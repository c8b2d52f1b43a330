import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Service } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { update } from "../../../core/store/store.ts";
import { verifyToken } from "../../../core/security/access-tokens.ts";
import { accounts } from "../../../services/auth/accounts.repository.ts";
import authService from "../../../services/auth/auth.service.ts";
import { auth, revocationsChannel, type Revocation } from "../../../services/auth/contract.ts";
import { deleteExpiredSessions } from "../../../services/auth/sessions/expired-sessions.ts";
import type { AuthContext } from "../../../services/auth/context.ts";
import { sessions } from "../../../services/auth/sessions/sessions.repository.ts";
import {
  asUser,
  goodPassword,
  recordFeed,
  signUpUser,
  startServices,
  countOutcomes,
  type InProcessServices,
  type SignedUpUser,
} from "../../support/systems/services.ts";
import { eventually } from "../../support/eventually.ts";

let services: InProcessServices;
beforeAll(async () => {
  services = await startServices(authService);
});
afterAll(() => services.stop());

const newPassword = "Better-Horse-8";
const newcomer = () => ({ firstName: "Ada", lastName: "Lovelace", emailId: `${newId()}@example.org`, password: goodPassword });
const logIn = ({ emailId }: Pick<SignedUpUser, "emailId">, password = goodPassword) =>
  call(services.broker, auth.logIn, { emailId, password });
const refused = (code: string) => expect.objectContaining({ type: code });
const revocationsSince = async (since: number): Promise<Revocation[]> =>
  (await call(services.broker, auth.revocations, { since })).revocations;
const isRevoked = async (sessionId: string) => (await services.db("auth").get(sessions, sessionId))!.revokedAt !== null;

test("other services' actions are named by no route", () => {
  const { actions } = services.broker.getLocalService("auth").schema as { actions: Record<string, { visibility: string }> };
  for (const name of ["accounts", "accountByEmail", "revocations"]) expect(actions[name]!.visibility).toBe("public");
});

describe("signing up", () => {
  test("is open to anyone and answers the account and a token for its session", async () => {
    const { password, ...who } = newcomer();
    const { account, sessionId, token, expiresAt } = await call(services.broker, auth.signUp, { ...who, password });
    const { jwtSecrets, clock } = portsOf(services.broker);
    expect(account).toEqual({ userId: expect.stringMatching(/^[0-9a-f]{24}$/), ...who, createdAt: expect.any(Number) });
    expect(verifyToken(token, jwtSecrets, clock.now())).toEqual({ userId: account.userId, sessionId, era: "first", expiresAt });
    expect(Math.abs(expiresAt - clock.now() - 24 * 60 * 60_000)).toBeLessThan(10_000);
  });

  test("keeps no password, only its hash", async () => {
    const { userId } = await signUpUser(services.broker);
    expect(JSON.stringify(await services.db("auth").get(accounts, userId))).not.toContain(goodPassword);
  });

  test("folds the address, so that each spelling leads to the same account", async () => {
    const { emailId, ...rest } = newcomer();
    await call(services.broker, auth.signUp, { ...rest, emailId });
    const again = call(services.broker, auth.signUp, { ...rest, emailId: ` ${emailId.toUpperCase()} ` });
    await expect(again).rejects.toEqual(refused("CONFLICT"));
  });

  test("ten at once with one address make one account", async () => {
    const who = newcomer();
    expect(await countOutcomes(Array.from({ length: 10 }, () => call(services.broker, auth.signUp, who)))).toEqual({ ok: 1, CONFLICT: 9 });
    await expect(logIn(who)).resolves.toBeDefined();
  });

  test("refuses blank names, bad addresses and weak passwords", async () => {
    const wrong = [
      { firstName: "  " },
      { lastName: "x" },
      { emailId: "nowhere" },
      { password: "short" },
      { password: `Aa1!${"é".repeat(35)}` },
    ];
    for (const fields of wrong) {
      await expect(call(services.broker, auth.signUp, { ...newcomer(), ...fields })).rejects.toMatchObject({ code: 422 });
    }
  });
});

describe("logging in", () => {
  test("refuses an unknown address and a wrong password with the same words", async () => {
    const ada = await signUpUser(services.broker);
    const unknown = await logIn({ emailId: "nobody@example.org" }).catch((error: unknown) => error as Error);
    const wrong = await logIn(ada, newPassword).catch((error: unknown) => error as Error);
    expect(unknown).toEqual(refused("UNAUTHENTICATED"));
    expect((wrong as Error).message).toBe((unknown as Error).message);
    expect(wrong).toEqual(refused("UNAUTHENTICATED"));
  });

  test("starts a session each time and notes where from", async () => {
    const ada = await signUpUser(services.broker);
    const client = { device: "Firefox", address: "192.0.2.7" };
    const answer = await call(services.broker, auth.logIn, { emailId: ada.emailId, password: goodPassword }, { meta: { client } });
    expect(answer.sessionId).not.toBe(ada.sessionId);
    expect(answer.account.userId).toBe(ada.userId);
    expect(await services.db("auth").get(sessions, answer.sessionId)).toMatchObject({ ...client, userId: ada.userId, revokedAt: null });
  });
});

describe("logging out", () => {
  test("is refused without a user", async () => {
    await expect(call(services.broker, auth.logOut, {})).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("ends this session only, notifies the gateways before it answers, and may be repeated", async () => {
    const ada = await signUpUser(services.broker);
    const { sessionId: another } = await logIn(ada);
    const revocations = await recordFeed(services.broker, [revocationsChannel]);
    await call(services.broker, auth.logOut, {}, asUser(ada));
    await eventually("the gateways are notified", () => revocations.length > 0);
    await call(services.broker, auth.logOut, {}, asUser(ada));

    expect(revocations.map(({ message }) => message)).toEqual([
      {
        sessionId: ada.sessionId,
        userId: ada.userId,
        reason: "loggedOut",
        revokedAt: expect.any(Number),
        expiresAt: expect.any(Number),
      },
    ]);
    expect(await isRevoked(ada.sessionId)).toBe(true);
    expect(await isRevoked(another)).toBe(false);
  });
});

describe("changing the password", () => {
  const change = (who: SignedUpUser, oldPassword = goodPassword, wanted = newPassword) =>
    call(services.broker, auth.changePassword, { oldPassword, newPassword: wanted }, asUser(who));

  test("is refused without a user", async () => {
    const anonymous = call(services.broker, auth.changePassword, { oldPassword: goodPassword, newPassword });
    await expect(anonymous).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("needs the old password, and a new one that differs from it", async () => {
    const ada = await signUpUser(services.broker);
    await expect(change(ada, "Wrong-Horse-9")).rejects.toEqual(refused("UNAUTHENTICATED"));
    await expect(change(ada, goodPassword, goodPassword)).rejects.toEqual(refused("VALIDATION"));
    await expect(change(ada, goodPassword, "weak")).rejects.toMatchObject({ code: 422 });
    await expect(logIn(ada)).resolves.toBeDefined();
  });

  test("accepts the new password, refuses the old one, and ends every other session", async () => {
    const ada = await signUpUser(services.broker);
    const { sessionId: phone } = await logIn(ada);
    const stranger = await signUpUser(services.broker);
    const revocations = await recordFeed(services.broker, [revocationsChannel]);
    await change(ada);

    await expect(logIn(ada)).rejects.toEqual(refused("UNAUTHENTICATED"));
    await expect(logIn(ada, newPassword)).resolves.toBeDefined();
    expect(await isRevoked(phone)).toBe(true);
    expect(await isRevoked(ada.sessionId)).toBe(false);
    expect(await isRevoked(stranger.sessionId)).toBe(false);
    await eventually("the gateways are notified", () => revocations.length > 0);
    expect(revocations.map(({ message }) => [message.sessionId, message.reason])).toEqual([[phone, "passwordChanged"]]);
  });

  test("does not revive ended sessions, and an ended session cannot do it", async () => {
    const ada = await signUpUser(services.broker);
    const { sessionId: phone } = await logIn(ada);
    await call(services.broker, auth.logOut, {}, asUser({ ...ada, sessionId: phone }));
    const endedAt = (await services.db("auth").get(sessions, phone))!.revokedAt;
    await change(ada);
    expect(await services.db("auth").get(sessions, phone)).toMatchObject({ revokedAt: endedAt, reason: "loggedOut" });
    await expect(change({ ...ada, sessionId: phone }, newPassword, goodPassword)).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("raced with logging out leaves the session ended", async () => {
    for (let round = 0; round < 5; round++) {
      const ada = await signUpUser(services.broker);
      await Promise.allSettled([change(ada), call(services.broker, auth.logOut, {}, asUser(ada))]);
      expect(await isRevoked(ada.sessionId)).toBe(true);
    }
  });

  test("two at once from two sessions: one wins, and only its session lives", async () => {
    const ada = await signUpUser(services.broker);
    const phone = { ...ada, sessionId: (await logIn(ada)).sessionId };
    expect(await countOutcomes([change(ada), change(phone, goodPassword, "Other-Horse-9")])).toEqual({ ok: 1, UNAUTHENTICATED: 1 });
    const ended = [await isRevoked(ada.sessionId), await isRevoked(phone.sessionId)];
    expect(ended.filter(Boolean)).toHaveLength(1);
  });

  /** The sessions of log-ins by the old password that go on until it has changed. */
  async function madeWhileChanging(ada: SignedUpUser): Promise<string[]> {
    const changed = { done: false };
    const changing = change(ada).then(() => (changed.done = true));
    const made: string[] = [];
    while (!changed.done) {
      const answers = await Promise.allSettled([logIn(ada), logIn(ada)]);
      made.push(...answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value.sessionId] : [])));
    }
    await changing;
    return made;
  }

  test("raced with log-ins leaves no session alive that the old password made", async () => {
    let ada = await signUpUser(services.broker);
    let made = await madeWhileChanging(ada);
    // On a busy machine a change may be over before any of its log-ins: that was no race.
    for (let more = 0; more < 10 && made.length === 0; more++) {
      ada = await signUpUser(services.broker);
      made = await madeWhileChanging(ada);
    }
    expect(made.length).toBeGreaterThan(0);
    for (const sessionId of made) expect({ sessionId, revoked: await isRevoked(sessionId) }).toEqual({ sessionId, revoked: true });
    await expect(logIn(ada)).rejects.toEqual(refused("UNAUTHENTICATED"));
  });
});

describe("looking someone up by address", () => {
  test("is refused without a user", async () => {
    await expect(call(services.broker, auth.userByEmail, { emailId: "a@example.org" })).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("answers the id, whatever the address's case, and NotFound for an unknown one", async () => {
    const [ada, ben] = [await signUpUser(services.broker), await signUpUser(services.broker)];
    const answer = await call(services.broker, auth.userByEmail, { emailId: ben.emailId.toUpperCase() }, asUser(ada));
    expect(answer).toEqual({ userId: ben.userId });
    const unknown = call(services.broker, auth.userByEmail, { emailId: "nobody@example.org" }, asUser(ada));
    await expect(unknown).rejects.toEqual(refused("NOT_FOUND"));
  });
});

describe("your own account", () => {
  test("is refused without a user", async () => {
    await expect(call(services.broker, auth.me, {})).rejects.toEqual(refused("UNAUTHENTICATED"));
  });

  test("has the owner's fields and no internal ones", async () => {
    const ada = await signUpUser(services.broker);
    const { createdAt, ...rest } = await call(services.broker, auth.me, {}, asUser(ada));
    expect(new Date(createdAt).toISOString()).toBe(createdAt);
    expect(rest).toEqual({
      _id: ada.userId,
      emailId: ada.emailId,
      firstName: "Ada",
      lastName: "Example",
      emailVerified: false,
      hasPassword: true,
    });
  });

  test("is refused to a session whose account is gone", async () => {
    const gone = call(services.broker, auth.me, {}, asUser({ userId: newId(), sessionId: newId() }));
    await expect(gone).rejects.toEqual(refused("UNAUTHENTICATED"));
  });
});

describe("accounts for other services", () => {
  test("are returned by id, without unknown ids", async () => {
    const [ada, ben] = [await signUpUser(services.broker, "Ada"), await signUpUser(services.broker, "Ben")];
    const found = await call(services.broker, auth.accounts, { userIds: [ada.userId, newId(), ben.userId] });
    expect(found.map(({ firstName }) => firstName).sort()).toEqual(["Ada", "Ben"]);
    expect(Object.keys(found[0]!).sort()).toEqual(["createdAt", "emailId", "firstName", "lastName", "userId"]);
  });

  test("are returned by address, with null for an unknown one", async () => {
    const ada = await signUpUser(services.broker);
    expect(await call(services.broker, auth.accountByEmail, { emailId: ada.emailId })).toMatchObject({ userId: ada.userId });
    expect(await call(services.broker, auth.accountByEmail, { emailId: "nobody@example.org" })).toBeNull();
  });
});

describe("revocations for gateways", () => {
  test("are returned oldest first, in pages, each once", async () => {
    const since = await portsOf(services.broker).store.time();
    const people = await Promise.all(Array.from({ length: 5 }, () => signUpUser(services.broker)));
    for (const person of people) await call(services.broker, auth.logOut, {}, asUser(person));

    const seen: Revocation[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await call(services.broker, auth.revocations, { since: since - 1, cursor, limit: 2 });
      seen.push(...page.revocations);
      cursor = page.next;
      pages++;
    } while (cursor !== undefined);
    // Two in the same millisecond have no order.
    expect(seen.map(({ sessionId }) => sessionId).sort()).toEqual(people.map(({ sessionId }) => sessionId).sort());
    expect(seen.map(({ revokedAt }) => revokedAt)).toEqual(seen.map(({ revokedAt }) => revokedAt).sort((a, b) => a - b));
    expect(pages).toBe(3);
  });

  test("are next requested from a little before the store time of the last answer", async () => {
    const ada = await signUpUser(services.broker);
    const { at } = await call(services.broker, auth.revocations, { since: 0 });
    await call(services.broker, auth.logOut, {}, asUser(ada));
    expect((await revocationsSince(at - 1000)).map(({ sessionId }) => sessionId)).toContain(ada.sessionId);
  });

  test("leave out sessions whose tokens have expired, which the sweep then removes", async () => {
    const [ada, ben] = [await signUpUser(services.broker), await signUpUser(services.broker)];
    await call(services.broker, auth.logOut, {}, asUser(ada));
    const longAgo = Date.now() - 24 * 60 * 60_000;
    await services.db("auth").commit([update(sessions, { _id: ada.sessionId }, { expiresAt: longAgo })]);
    expect((await revocationsSince(0)).map(({ sessionId }) => sessionId)).not.toContain(ada.sessionId);

    const { context } = services.broker.getLocalService("auth") as Service & { context: AuthContext };
    expect(await deleteExpiredSessions(context)).toBe(1);
    expect(await services.db("auth").get(sessions, ada.sessionId)).toBeUndefined();
    expect(await services.db("auth").get(sessions, ben.sessionId)).toBeDefined();
  });
});
