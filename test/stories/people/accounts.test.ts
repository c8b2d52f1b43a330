/** Sign-up, log-in, and finding a user by e-mail address. */
import { expect, test } from "@jest/globals";
import { countByStatus, inParallel } from "../../support/concurrent.ts";
import { id, text } from "../../support/people/legacy-client.ts";
import { requestJson, cookieOf, type ApiResponse } from "../../support/people/person.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

const withoutRequestId = ({ status, body }: ApiResponse) => ({ status, body: { ...body, requestId: "" } });

story("Accounts", (world) => {
  testNeedsSession(world, [
    ["GET", "/auth/me"],
    ["GET", "/auth/getUserByEmail"],
    ["GET", "/auth/getUserByEmail?emailId=a@example.org"],
  ]);

  test("sign-up answers exactly the fields that PingTalk's clients read, and sets a cookie that scripts cannot read", async () => {
    const someone = world.stranger();
    const answer = await someone.signUp();
    const { url, firstName, lastName, emailId } = someone;
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({ message: text, data: { _id: id, firstName, lastName, emailId } });
    const cookie = answer.headers.getSetCookie().find((header) => header.startsWith("token="));
    expect(cookie).toMatch(/; HttpOnly/i);
    expect(cookie).toMatch(/; SameSite=Lax/i);
    expect(cookie).toMatch(/; Path=\//i);
    expect(cookie).not.toMatch(/; Secure/i);
    expect((await requestJson(url, "GET", "/profile/getProfile", { headers: { cookie: cookieOf(answer)! } })).status).toBe(200);
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

  test.each([
    ["a first name of one letter", { firstName: "A" }, "firstName"],
    ["a missing last name", { lastName: undefined }, "lastName"],
    ["a blank last name", { lastName: "   " }, "lastName"],
    ["a missing address", { emailId: undefined }, "emailId"],
    ["text that is not an address", { emailId: "nobody" }, "emailId"],
    ["a weak password", { password: "password" }, "password"],
    ["a password without a symbol", { password: "Password12" }, "password"],
    ["a password over 72 bytes", { password: `Aa1-${"ü".repeat(35)}` }, "password"],
    ["an unknown field", { isAdmin: true }, "isAdmin"],
  ])("sign-up refuses %s and names the field", async (_what, change, field) => {
    const { firstName, lastName, emailId, password, url } = world.stranger();
    const body = { firstName, lastName, emailId, password, ...change };
    const answer = await requestJson(url, "POST", "/auth/signup", { body });
    expect(answer).toMatchObject(refusal(400, "VALIDATION"));
    expect(answer.body.details).toMatchObject([{ field, message: expect.any(String) }]);
    expect((await requestJson(url, "POST", "/auth/login", { body: { emailId, password } })).status).toBe(401);
  });

  test("an address belongs to one account, in any spelling", async () => {
    const first = await world.person();
    const second = world.stranger();
    const body = { firstName: "Other", lastName: "Person", emailId: `  ${first.emailId.toUpperCase()} `, password: second.password };
    expect(await requestJson(second.url, "POST", "/auth/signup", { body })).toMatchObject(refusal(409, "CONFLICT"));
    expect(
      (await requestJson(second.url, "POST", "/auth/login", { body: { emailId: body.emailId, password: first.password } })).status,
    ).toBe(200);
  });

  test("log-in answers exactly the id, address and token that PingTalk's clients read, and sets the cookie", async () => {
    const { url, id: userId, emailId, password } = await world.person();
    for (const spelling of [emailId, emailId.toUpperCase()]) {
      const answer = await requestJson(url, "POST", "/auth/login", { body: { emailId: spelling, password } });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ message: text, data: { id: userId, emailId, token: text } });
      expect(cookieOf(answer)).toBe(`token=${answer.body.data.token}`);
    }
  });

  test("someone without a session cannot learn from log-in or look-up whether an address has an account", async () => {
    const someone = await world.person();
    const stranger = world.stranger();
    for (const { emailId } of [someone, stranger]) {
      const answer = await requestJson(someone.url, "GET", `/auth/getUserByEmail?emailId=${emailId}`);
      expect(answer).toMatchObject(refusal(401, "UNAUTHENTICATED"));
    }
    const wrongPassword = await someone.logIn("Wrong-Password-1");
    expect(wrongPassword).toMatchObject({ status: 401, body: { message: text } });
    expect(withoutRequestId(await stranger.logIn("Wrong-Password-1"))).toEqual(withoutRequestId(wrongPassword));
  });

  test("log-in refuses a body without an address, without a password, or with a malformed address", async () => {
    const { url, emailId } = await world.person();
    for (const body of [{}, { emailId }, { emailId: "ada", password: "x" }]) {
      expect(await requestJson(url, "POST", "/auth/login", { body })).toMatchObject(refusal(400, "VALIDATION"));
    }
  });

  test("a look-up by address answers the user's id, and 404 for an unknown address", async () => {
    const [a, b] = await world.people(2);
    const find = (query: string) => a.get(`/auth/getUserByEmail${query}`);
    for (const spelling of [b.emailId, b.emailId.toUpperCase()]) {
      expect(await find(`?emailId=${encodeURIComponent(spelling)}`)).toMatchObject({ status: 200, body: { userId: b.id } });
    }
    expect(await find(`?emailId=${world.stranger().emailId}`)).toMatchObject(refusal(404, "NOT_FOUND"));
    for (const query of ["", `?emailId=${b.emailId}&emailId=${a.emailId}`]) {
      expect(await find(query)).toMatchObject(refusal(400, "VALIDATION"));
    }
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
