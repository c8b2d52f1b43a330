/** Sessions: the cookie and the token, log-out, and what ends a session on every gateway. */
import { expect, test } from "@jest/globals";
import { settlesWithin, succeedsOnceInThree } from "../../support/attempts.ts";
import { eventually } from "../../support/eventually.ts";
import { by, text } from "../../support/people/legacy-client.ts";
import { requestJson, connect, cookieOf } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

story("Sessions", (world) => {
  test("the cookie works like the token, and the token wins over the cookie", async () => {
    const [a, b] = await world.people(2);
    const cookie = `token=${a.token}`;
    expect((await requestJson(a.url, "GET", "/auth/me", { headers: { cookie } })).body.data._id).toBe(a.id);
    expect((await b.request("GET", "/auth/me", { headers: { cookie } })).body.data._id).toBe(b.id);
  });

  test("every cookie of sign-up, log-in and log-out is HttpOnly and SameSite=Lax, and sign-up's body has no token", async () => {
    const someone = world.stranger();
    const answers = [await someone.signUp(), await someone.logIn(), await someone.post("/auth/logout")];
    const signUpToken = cookieOf(answers[0]!)!.slice("token=".length);
    for (const { headers } of answers) {
      const cookies = headers.getSetCookie();
      expect(cookies.length).toBeGreaterThan(0);
      for (const cookie of cookies) expect(cookie).toMatch(/; HttpOnly; SameSite=Lax/);
    }
    for (const token of [signUpToken, someone.token]) expect(JSON.stringify(answers[0]!.body)).not.toContain(token);
  });

  test("log-out clears the cookie, also without a session", async () => {
    const someone = await world.person();
    for (const answer of [await by(someone)("POST", "/auth/logout"), await requestJson(someone.url, "POST", "/auth/logout")]) {
      expect(answer).toMatchObject({ status: 200, body: { message: text } });
      expect(cookieOf(answer)).toBe("token=");
    }
    // The answer does not wait for the gateways.
    await eventually("the session has ended", async () => (await by(someone)("GET", "/chat/my-chats")).status === 401);
  });

  test("log-out ends this session on every gateway, and no other", async () => {
    await succeedsOnceInThree("every gateway refuses the token within a second", async () => {
      const phone = await world.person();
      const laptop = phone.at(world.gateways()[1]);
      await laptop.logIn();
      const line = await phone.connect();
      const answer = await phone.post("/auth/logout");
      expect(answer.status).toBe(200);
      expect(cookieOf(answer)).toBe("token=");
      expect(await line.waitFor("sessionEnded")).toEqual({ reason: "loggedOut" });
      await line.waitFor("disconnect");
      let isInTime = true;
      for (const url of world.gateways()) {
        const twin = phone.at(url);
        const refused = eventually("the token is refused", async () => (await twin.get("/auth/me")).status === 401);
        isInTime = (await settlesWithin(1000, refused)) && isInTime;
        await expect(connect(url, { auth: { token: phone.token } })).rejects.toThrow();
      }
      expect((await laptop.get("/auth/me")).status).toBe(200);
      return isInTime;
    });
  });

  test("a new password ends all other sessions, and log-out this one, on every gateway within a second", async () => {
    const onEveryGateway = (token: string) =>
      Promise.all(world.gateways().map((url) => requestJson(url, "GET", "/auth/me", { headers: { cookie: `token=${token}` } })));
    const isRefused = async (token: string) => (await onEveryGateway(token)).every(({ status }) => status === 401);
    const isRefusedInTime = (token: string) =>
      settlesWithin(
        1000,
        eventually("the session is refused", () => isRefused(token)),
      );
    await succeedsOnceInThree("every gateway refuses an ended session within a second", async () => {
      const someone = await world.person();
      const first = someone.token;
      await someone.logIn();
      const second = someone.token;
      await someone.logIn();
      await someone.patch("/auth/changePassword", { oldPassword: someone.password, newPassword: "Even-Better-8" });
      const results = [await isRefusedInTime(first), await isRefusedInTime(second)];
      expect((await someone.get("/auth/me")).status).toBe(200);
      await someone.post("/auth/logout");
      results.push(await isRefusedInTime(someone.token));
      for (const url of world.gateways()) await expect(connect(url, { auth: { token: someone.token } })).rejects.toThrow();
      return results.every(Boolean);
    });
  });
});
