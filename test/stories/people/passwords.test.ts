/** The rules for passwords, and changing your own. */
import { expect, test } from "@jest/globals";
import { text } from "../../support/people/legacy-client.ts";
import { requestJson, cookieOf, type Person } from "../../support/people/person.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

const newPassword = "Even-Better-8";
const weakPasswords = ["x", "password", "Password12", "pass-word-12", "PASS-WORD-12", "Pass-Word-xy", "Sh0rt-!", "weak"];

const signUpWith = ({ url, firstName, lastName, emailId }: Person, password: string) =>
  requestJson(url, "POST", "/auth/signup", { body: { firstName, lastName, emailId, password } });

story("Passwords", (world) => {
  testNeedsSession(world, [["PATCH", "/auth/changePassword"]]);

  test("a change needs the right old password and a different new one", async () => {
    const someone = await world.person();
    const { password } = someone;
    const change = (from?: string, to?: string) => someone.patch("/auth/changePassword", { oldPassword: from, newPassword: to });
    expect(await change("Wrong-Password-1", newPassword)).toMatchObject({ status: 401, body: { message: text } });
    for (const [from, to] of [[undefined, newPassword], [password], [password, password]]) {
      expect(await change(from, to)).toMatchObject(refusal(400, "VALIDATION"));
    }
  });

  test("a changed password ends all other sessions, and the old password no longer works", async () => {
    const here = await world.person();
    const there = here.at(world.gateways()[1]);
    await there.logIn();
    const line = await there.connect();
    expect(await here.patch("/auth/changePassword", { oldPassword: here.password, newPassword })).toMatchObject({
      status: 200,
      body: { message: text },
    });
    expect(await line.waitFor("sessionEnded")).toEqual({ reason: "passwordChanged" });
    expect((await here.get("/auth/me")).status).toBe(200);
    expect((await here.logIn()).status).toBe(401);
    expect((await here.logIn(newPassword)).status).toBe(200);
  });

  test("a weak password is refused at sign-up and at a change, and the old one stays", async () => {
    const someone = await world.person();
    for (const weak of weakPasswords) {
      const changed = await someone.patch("/auth/changePassword", { oldPassword: someone.password, newPassword: weak });
      const signedUp = await signUpWith(world.stranger(), weak);
      for (const answer of [changed, signedUp]) expect(answer).toMatchObject(refusal(400, "VALIDATION"));
      expect(changed.body.details).toMatchObject([{ field: "newPassword" }]);
    }
    expect((await someone.logIn()).status).toBe(200);
  });

  test("a password over 72 bytes is refused, because bcrypt would ignore the rest", async () => {
    const longest = `Aa1-${"x".repeat(68)}`;
    const someone = world.stranger();
    expect((await signUpWith(someone, longest)).status).toBe(201);
    expect(cookieOf(await someone.logIn(longest))).toMatch(/^token=./);
    for (const tooLong of [`${longest}y`, `Aa1-${"ü".repeat(35)}`]) {
      const refused = { status: 400, body: { code: "VALIDATION" } };
      expect(await someone.logIn(tooLong)).toMatchObject(refused);
      expect(await signUpWith(world.stranger(), tooLong)).toMatchObject(refused);
      expect(await someone.patch("/auth/changePassword", { oldPassword: longest, newPassword: tooLong })).toMatchObject(refused);
    }
  });
});
