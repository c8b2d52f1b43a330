/** Sign-up, log-in, log-out and the password, as a person meets them. */
import { expect, test } from "@jest/globals";
import { settlesWithin, succeedsOnceInThree } from "../../support/attempts.ts";
import { countByStatus, inParallel } from "../../support/concurrent.ts";
import { eventually } from "../../support/eventually.ts";
import { requestJson, connect, cookieOf } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const newPassword = "Even-Better-8";

story("Accounts", (world) => {
  test.each([
    ["GET", "/auth/me"],
    ["PATCH", "/auth/changePassword"],
    ["GET", "/auth/getUserByEmail?emailId=a@example.org"],
  ])("%s %s needs a session", async (method, path) => {
    const [url] = world.gateways();
    for (const headers of [{}, { authorization: "Bearer nonsense" }, { cookie: "token=nonsense" }]) {
      const answer = await requestJson(url, method, path, { headers, ...(method === "GET" ? {} : { body: {} }) });
      expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED", requestId: expect.any(String) } });
    }
  });

  test("log-out without a session is no fault: there is nothing to end", async () => {
    const answer = await requestJson(world.gateways()[0], "POST", "/auth/logout");
    expect(answer.status).toBe(200);
    expect(cookieOf(answer)).toBe("token=");
  });

  test("sign-up answers who one is and sets a cookie that scripts can't read", async () => {
    const someone = world.stranger();
    const answer = await someone.signUp();
    const { firstName, lastName, emailId } = someone;
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      message: expect.any(String),
      data: { _id: expect.stringMatching(/^[0-9a-f]{24}$/), firstName, lastName, emailId },
    });
    const cookie = answer.headers.getSetCookie().find((one) => one.startsWith("token="));
    expect(cookie).toMatch(/; HttpOnly/i);
    expect(cookie).toMatch(/; SameSite=Lax/i);
    expect(cookie).toMatch(/; Path=\//i);
    expect(cookie).not.toMatch(/; Secure/i);
    expect(await someone.get("/auth/me")).toMatchObject({
      status: 200,
      body: {
        data: {
          _id: someone.id,
          emailId,
          firstName,
          lastName,
          emailVerified: false,
          hasPassword: true,
          createdAt: expect.stringMatching(/Z$/),
        },
      },
    });
  });

  test("the cookie is as good as the token, and the token wins over the cookie", async () => {
    const a = await world.person();
    const b = await world.person();
    const cookie = `token=${a.token}`;
    expect((await requestJson(a.url, "GET", "/auth/me", { headers: { cookie } })).body.data._id).toBe(a.id);
    expect((await b.request("GET", "/auth/me", { headers: { cookie } })).body.data._id).toBe(b.id);
  });

  test.each([
    ["a first name of one letter", { firstName: "A" }, "firstName"],
    ["a blank last name", { lastName: "   " }, "lastName"],
    ["no address", { emailId: undefined }, "emailId"],
    ["something that is no address", { emailId: "nobody" }, "emailId"],
    ["a weak password", { password: "password" }, "password"],
    ["a password without a symbol", { password: "Password12" }, "password"],
    ["a password over 72 bytes", { password: `Aa1-${"ü".repeat(35)}` }, "password"],
    ["a field that nobody knows", { isAdmin: true }, "isAdmin"],
  ])("sign-up refuses %s and says which field", async (_what, change, field) => {
    const { firstName, lastName, emailId, password, url } = world.stranger();
    const body = { firstName, lastName, emailId, password, ...change };
    const answer = await requestJson(url, "POST", "/auth/signup", { body });
    expect(answer).toMatchObject({ status: 400, body: { code: "VALIDATION", details: [{ field, message: expect.any(String) }] } });
    expect((await requestJson(url, "POST", "/auth/login", { body: { emailId, password } })).status).toBe(401);
  });

  test("an address belongs to one account, however it is written", async () => {
    const first = await world.person();
    const second = world.stranger();
    const body = { firstName: "Other", lastName: "Person", emailId: `  ${first.emailId.toUpperCase()} `, password: second.password };
    expect(await requestJson(second.url, "POST", "/auth/signup", { body })).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect(
      (await requestJson(second.url, "POST", "/auth/login", { body: { emailId: body.emailId, password: first.password } })).status,
    ).toBe(200);
  });

  test("log-in answers the token, and tells an unknown address and a wrong password alike", async () => {
    const someone = await world.person();
    const answer = await someone.logIn();
    expect(answer).toMatchObject({ status: 200, body: { data: { id: someone.id, emailId: someone.emailId, token: expect.any(String) } } });
    expect(cookieOf(answer)).toBe(`token=${answer.body.data.token}`);
    const wrong = await someone.logIn("Wrong-Password-1");
    const unknown = await world.stranger().logIn();
    expect(wrong.status).toBe(401);
    expect({ ...wrong.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
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

  test("a changed password ends all other sessions; the old one opens nothing any more", async () => {
    const here = await world.person();
    const there = here.at(world.gateways()[1]);
    await there.logIn();
    const line = await there.connect();
    expect(await here.patch("/auth/changePassword", { oldPassword: "Wrong-Password-1", newPassword })).toMatchObject({ status: 401 });
    expect(await here.patch("/auth/changePassword", { oldPassword: here.password, newPassword: "weak" })).toMatchObject({ status: 400 });
    expect(await here.patch("/auth/changePassword", { oldPassword: here.password, newPassword: here.password })).toMatchObject({
      status: 400,
    });
    expect((await here.patch("/auth/changePassword", { oldPassword: here.password, newPassword })).status).toBe(200);
    expect(await line.waitFor("sessionEnded")).toEqual({ reason: "passwordChanged" });
    expect((await here.get("/auth/me")).status).toBe(200);
    expect((await here.logIn()).status).toBe(401);
    expect((await here.logIn(newPassword)).status).toBe(200);
  });

  test("an address leads to its person's id, and an unknown one to 404", async () => {
    const a = await world.person();
    const b = await world.person();
    const path = (emailId: string) => `/auth/getUserByEmail?emailId=${encodeURIComponent(emailId)}`;
    expect(await a.get(path(b.emailId.toUpperCase()))).toMatchObject({ status: 200, body: { userId: b.id } });
    expect(await a.get(path(world.stranger().emailId))).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect(await a.get("/auth/getUserByEmail")).toMatchObject({ status: 400 });
  });

  test("ten concurrent sign-ups with one address create one account", async () => {
    const { firstName, lastName, emailId, password } = world.stranger();
    const gateways = world.gateways();
    const answers = await inParallel(10, (i) =>
      requestJson(gateways[i % 2]!, "POST", "/auth/signup", { body: { firstName, lastName, emailId, password } }),
    );
    expect(countByStatus(answers)).toEqual({ 201: 1, 409: 9 });
    const created = answers.find(({ status }) => status === 201)?.body.data._id;
    expect((await requestJson(gateways[1], "POST", "/auth/login", { body: { emailId, password } })).body.data.id).toBe(created);
  });
});
