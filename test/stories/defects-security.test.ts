/** Defects of PingTalk's that concern security, each with what Parley does instead; docs/security.md lists them by their numbers. */
import { expect, test } from "@jest/globals";
import { settlesWithin, succeedsOnceInThree } from "../support/attempts.ts";
import { eventually } from "../support/eventually.ts";
import { requestJson, connect, cookieOf, type ApiResponse, type Person } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";

const weakPasswords = ["x", "password", "Password12", "pass-word-12", "PASS-WORD-12", "Pass-Word-xy", "Sh0rt-!"];
/** All that a client may send, what only the server sends, and what nobody knows. */
const events = [
  ...["joinChat", "leaveChat", "subscribe", "sync", "sendMessage", "editMessage", "deleteMessage", "react", "markRead", "typing"],
  ...["receiveMessage", "error", "noSuchEvent"],
];

const told = ({ status, body }: ApiResponse) => ({ status, body: { ...body, requestId: "" } });
const signUpWith = (someone: Person, password: string) => {
  const { url, firstName, lastName, emailId } = someone;
  return requestJson(url, "POST", "/auth/signup", { body: { firstName, lastName, emailId, password } });
};

story("PingTalk's defects of security are not ours", (world) => {
  test("defect 2: every cookie of a session is out of reach of scripts and of other sites' requests", async () => {
    const someone = world.stranger();
    const answers = [await someone.signUp(), await someone.logIn(), await someone.post("/auth/logout")];
    for (const { headers } of answers) {
      const cookies = headers.getSetCookie();
      expect(cookies.length).toBeGreaterThan(0);
      for (const cookie of cookies) expect(cookie).toMatch(/; HttpOnly; SameSite=Lax/);
    }
    expect(JSON.stringify(answers[0]!.body)).not.toContain(someone.token);
  });

  test("defect 3: who has an account is told neither to who is not signed in nor at log-in", async () => {
    const someone = await world.person();
    const stranger = world.stranger();
    for (const { emailId } of [someone, stranger]) {
      const answer = await requestJson(someone.url, "GET", `/auth/getUserByEmail?emailId=${emailId}`);
      expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
    }
    const wrong = await someone.logIn("Wrong-Password-1");
    expect(wrong.status).toBe(401);
    expect(told(wrong)).toEqual(told(await stranger.logIn("Wrong-Password-1")));
  });

  test("defect 4: log-out and a new password revoke at once, on every gateway", async () => {
    const everywhere = (token: string) =>
      world.gateways().map((url) => requestJson(url, "GET", "/auth/me", { headers: { cookie: `token=${token}` } }));
    const refused = async (token: string) => (await Promise.all(everywhere(token))).every(({ status }) => status === 401);
    const inTime = (token: string) =>
      settlesWithin(
        1000,
        eventually("the session is refused", () => refused(token)),
      );
    await succeedsOnceInThree("every gateway refuses an ended session within a second", async () => {
      const someone = await world.person();
      const first = someone.token;
      await someone.logIn();
      const second = someone.token;
      await someone.logIn();
      await someone.patch("/auth/changePassword", { oldPassword: someone.password, newPassword: "Even-Better-8" });
      const areKept = [await inTime(first), await inTime(second)];
      expect((await someone.get("/auth/me")).status).toBe(200);
      await someone.post("/auth/logout");
      areKept.push(await inTime(someone.token));
      for (const url of world.gateways()) await expect(connect(url, { auth: { token: someone.token } })).rejects.toThrow();
      return areKept.every(Boolean);
    });
  });

  test("defect 5: a new password is as strong as one at sign-up, or the old one stays", async () => {
    const someone = await world.person();
    for (const newPassword of weakPasswords) {
      const changed = await someone.patch("/auth/changePassword", { oldPassword: someone.password, newPassword });
      const signedUp = await signUpWith(world.stranger(), newPassword);
      expect([changed.status, signedUp.status]).toEqual([400, 400]);
      expect(changed.body.details).toMatchObject([{ field: "newPassword" }]);
    }
    expect((await someone.logIn()).status).toBe(200);
  });

  test("defect 6: strangers see a name and a picture, and can't be put into groups", async () => {
    const { members, chatId } = await world.group(3);
    const [founder, friend] = members as [Person, Person, Person];
    const stranger = await world.person();
    await founder.put("/profile/patchProfile", { about: "For friends", age: 41 });
    const seen = (await stranger.get(`/profile/profile/${founder.id}`)).body.data;
    expect(Object.keys(seen).sort()).toEqual(["firstName", "lastName", "profilePic", "userId"]);
    expect((await friend.get(`/profile/profile/${founder.id}`)).body.data).toMatchObject({ about: "For friends", age: 41 });
    const forbidden = { status: 403, body: { code: "FORBIDDEN" } };
    expect(await founder.put("/chat/add-to-group", { chatId, userIdToAdd: stranger.id })).toMatchObject(forbidden);
    const participants = [friend.id, stranger.id];
    expect(await founder.post("/chat/create-group", { name: "Not asked", participants })).toMatchObject(forbidden);
    expect((await stranger.get("/chat/my-chats")).body).toEqual([]);
  });

  test("defect 7: an event without a payload is refused, and every process lives on", async () => {
    const pids = world.processes().map(({ pid }) => pid);
    for (const url of world.gateways()) {
      const someone = (await world.person()).at(url);
      const line = await someone.connect();
      for (const event of events) {
        for (const payload of [[], [null], ["text"], [[]]]) {
          expect(await line.call(event, ...payload)).toMatchObject({
            ok: false,
            error: { code: expect.stringMatching(/^(VALIDATION|NOT_FOUND)$/) },
          });
          line.socket.emit(event, ...payload);
        }
      }
      expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
      line.close();
    }
    expect(world.processes().map(({ pid }) => pid)).toEqual(pids);
    for (const { pid, statusUrl } of world.processes()) {
      expect(process.kill(pid, 0)).toBe(true);
      expect((await fetch(`${statusUrl}/health`)).status).toBe(200);
    }
  });

  test("defect 9: an origin that only contains ours is foreign; ours is told once", async () => {
    const { token, url } = await world.person();
    const cookie = `token=${token}`;
    const write = (origin: string) => requestJson(url, "PUT", "/profile/patchProfile", { body: { age: 7 }, headers: { cookie, origin } });
    for (const origin of [
      `${url}.evil.example`,
      `https://evil.example/${url}`,
      `http://evil.example?${url}`,
      url.replace("//", "//evil."),
      "null",
    ]) {
      const answer = await write(origin);
      expect(answer).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
      await expect(connect(url, { headers: { cookie, origin } })).rejects.toThrow();
    }
    // Two headers would come as one, with a comma.
    expect((await write(url)).headers.get("access-control-allow-origin")).toBe(url);
    const preflight = await requestJson(url, "OPTIONS", "/profile/patchProfile", {
      headers: { origin: url, "access-control-request-method": "PUT" },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, url]);
  });

  test("defect 10: an operator is no value, a picture is no address to fetch, and no error tells of our inside", async () => {
    const someone = await world.person();
    const answers = [
      await someone.post("/chat/create-direct", { receiverId: { $ne: null } }),
      await someone.post("/chat/create-group", { name: "Group", participants: [{ $gt: "" }, { $gt: "" }] }),
      await someone.post("/request/invite/send", { toEmail: { $regex: ".*" } }),
      await someone.put("/profile/patchProfile", { profilePic: `${someone.url}/docs/icon.svg?.png` }),
      await someone.request("POST", "/auth/login", {}),
      await someone.request("PATCH", "/auth/changePassword", {}),
      await someone.request("POST", "/auth/login", { body: '{"emailId":' }),
    ];
    for (const { status, body } of answers) {
      expect({ status, body }).toMatchObject({ status: 400, body: { code: "VALIDATION", message: expect.any(String) } });
      expect(JSON.stringify(body)).not.toMatch(/Error:|at .*\.[jt]s|undefined|Cast to|E11000|SQLITE|Mongo|JSON at position/);
    }
  });

  test("defect 26: a password over 72 bytes is refused, so nothing that differs after them logs in", async () => {
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
