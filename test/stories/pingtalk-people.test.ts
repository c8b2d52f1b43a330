/**
 * PingTalk's accounts, profiles and invites, row by row, as its clients use them. Ada and Ben are contacts; Cleo is not. The first
 * test of a row says who may not call it.
 */
import { describe, expect, test } from "@jest/globals";
import { by, id, known, malformed, nobody, pixel, refusal, row, text } from "../support/people/legacy-client.ts";
import { eventually } from "../support/eventually.ts";
import { requestJson, cookieOf, type Person } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";

const wrongPictures = ["x", "https://example.org/a.png", "data:image/png;base64,"].map((profilePic) => ({ profilePic }));

story("PingTalk's clients: accounts, profiles, invites", (world) => {
  /** Two contacts, and a third person whom they don't know. */
  async function three() {
    const [ada, ben, cleo] = await world.people(3);
    return { ada, ben, cleo, requestId: await world.befriend(ada, ben) };
  }
  const invite = async (from: Person, to: Person) =>
    (await by(from)("POST", "/request/invite/send", { toEmail: to.emailId })).body.data._id as string;

  describe("POST /auth/signup", () => {
    test("is open to anyone, and answers who they are, with the cookie", async () => {
      const { url, firstName, lastName, emailId, password } = world.stranger();
      const answer = await requestJson(url, "POST", "/auth/signup", { body: { firstName, lastName, emailId, password } });
      expect(answer.status).toBe(201);
      expect(answer.body).toEqual({ message: text, data: { _id: id, firstName, lastName, emailId } });
      expect((await requestJson(url, "GET", "/profile/getProfile", { headers: { cookie: cookieOf(answer)! } })).status).toBe(200);
    });

    test("refuses what is no name, address or strong password, and a taken address", async () => {
      const { url, firstName, lastName, emailId, password } = world.stranger();
      const good = { firstName, lastName, emailId, password };
      for (const wrong of [{ firstName: "A" }, { lastName: undefined }, { emailId: "ada" }, { password: "password" }]) {
        expect(await requestJson(url, "POST", "/auth/signup", { body: { ...good, ...wrong } })).toMatchObject(refusal(400));
      }
      const taken = await world.person();
      expect(await requestJson(url, "POST", "/auth/signup", { body: { ...good, emailId: taken.emailId } })).toMatchObject(refusal(409));
    });
  });

  describe("POST /auth/login", () => {
    test("is refused with a wrong password and to an unknown address, alike", async () => {
      const { url, emailId } = await world.person();
      for (const address of [emailId, world.stranger().emailId]) {
        const body = { emailId: address, password: "Wrong-Password-1" };
        expect(await requestJson(url, "POST", "/auth/login", { body })).toMatchObject(refusal(401));
      }
      for (const body of [{}, { emailId }, { emailId: "ada", password: "x" }]) {
        expect(await requestJson(url, "POST", "/auth/login", { body })).toMatchObject(refusal(400));
      }
    });

    test("answers the id and the token, with the cookie, however the address is written", async () => {
      const ada = await world.person();
      const body = { emailId: ada.emailId.toUpperCase(), password: ada.password };
      const answer = await requestJson(ada.url, "POST", "/auth/login", { body });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ message: text, data: { id: ada.id, emailId: ada.emailId, token: text } });
      expect(cookieOf(answer)).toBe(`token=${answer.body.data.token}`);
    });
  });

  describe("POST /auth/logout", () => {
    test("is open to anyone, and takes the cookie back", async () => {
      const ada = await world.person();
      for (const answer of [await by(ada)("POST", "/auth/logout"), await requestJson(ada.url, "POST", "/auth/logout")]) {
        expect(answer).toMatchObject({ status: 200, body: { message: text } });
        expect(cookieOf(answer)).toBe("token=");
      }
      // Gateways hear of it beside the answer.
      await eventually("the session has ended", async () => (await by(ada)("GET", "/chat/my-chats")).status === 401);
    });
  });

  row(world, "PATCH", "/auth/changePassword", () => {
    test("needs the old password, and another, strong one", async () => {
      const ada = await world.person();
      const change = (oldPassword?: string, newPassword?: string) => by(ada)("PATCH", "/auth/changePassword", { oldPassword, newPassword });
      expect(await change("Wrong-Password-1", "Even-Better-8")).toMatchObject(refusal(401));
      for (const [old, wanted] of [[undefined, "Even-Better-8"], [ada.password], [ada.password, ada.password], [ada.password, "weak"]]) {
        expect(await change(old, wanted)).toMatchObject(refusal(400));
      }
      expect(await change(ada.password, "Even-Better-8")).toMatchObject({ status: 200, body: { message: text } });
      expect((await ada.logIn("Even-Better-8")).status).toBe(200);
    });
  });

  row(world, "GET", "/auth/getUserByEmail", () => {
    test("answers the id of the person with the address", async () => {
      const { ada, ben } = await three();
      const find = (query: string) => by(ada)("GET", `/auth/getUserByEmail${query}`);
      expect(await find(`?emailId=${ben.emailId}`)).toMatchObject({ status: 200, body: { userId: ben.id } });
      expect(await find(`?emailId=${world.stranger().emailId}`)).toMatchObject(refusal(404));
      for (const query of ["", `?emailId=${ben.emailId}&emailId=${ada.emailId}`]) expect(await find(query)).toMatchObject(refusal(400));
    });
  });

  row(world, "GET", "/profile/getProfile", () => {
    test("answers one's own profile, from sign-up on", async () => {
      const ada = await world.person();
      const { firstName, lastName } = ada;
      const answer = await by(ada)("GET", "/profile/getProfile");
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        data: known("profile", { userId: ada.id, firstName, lastName, about: null, profilePic: null, age: null, gender: null }),
        source: expect.stringMatching(/^(cache|database)$/),
      });
    });
  });

  row(world, "PUT", "/profile/patchProfile", () => {
    test("takes all fields at once, and answers the profile, with the picture's URL", async () => {
      const { ada, cleo } = await three();
      const fields = { firstName: "Adele", lastName: "E", about: "Likes rain", gender: "Female", age: 41 };
      const answer = await by(ada)("PUT", "/profile/patchProfile", { ...fields, profilePic: pixel });
      expect(answer).toMatchObject({
        status: 200,
        body: { message: text, data: known("profile", { userId: ada.id, ...fields, profilePic: text }) },
      });
      const { profilePic } = answer.body.data;
      expect((await by(ada)("PUT", "/profile/patchProfile", { ...fields, age: 42, profilePic })).body.data).toMatchObject({
        age: 42,
        profilePic,
      });
      expect((await by(ada)("GET", "/profile/getProfile")).body.data).toMatchObject({ ...fields, age: 42, profilePic });
      expect((await by(cleo)("GET", profilePic)).status).toBe(200);
    });

    test("refuses values out of range and fields it does not know", async () => {
      const ada = await world.person();
      for (const wrong of [
        { firstName: "A" },
        { about: "x".repeat(751) },
        { gender: "MALE" },
        { age: "41" },
        { role: "admin" },
        {},
        ...wrongPictures,
      ]) {
        expect(await by(ada)("PUT", "/profile/patchProfile", wrong)).toMatchObject(refusal(400));
      }
    });
  });

  row(world, "GET", "/profile/profile/:userId", () => {
    test("answers a contact's profile, and of a stranger's the name and picture", async () => {
      const { ada, ben, cleo } = await three();
      const see = (userId: string) => by(ada)("GET", `/profile/profile/${userId}`);
      expect(await see(ben.id)).toMatchObject({ status: 200, body: { data: known("profile", { userId: ben.id, age: null }) } });
      const { firstName, lastName } = cleo;
      expect((await see(cleo.id)).body.data).toEqual({ userId: cleo.id, firstName, lastName, profilePic: null });
      expect(await see(nobody)).toMatchObject(refusal(404));
      expect(await see(malformed)).toMatchObject(refusal(400));
    });
  });

  row(world, "POST", "/request/invite/send", () => {
    test("asks someone by their address, once", async () => {
      const [ada, ben] = await world.people(2);
      const send = (toEmail?: unknown) => by(ada)("POST", "/request/invite/send", { toEmail });
      expect(await send(` ${ben.emailId.toUpperCase()} `)).toMatchObject({
        status: 201,
        body: { message: text, data: known("request", { fromUserId: ada.id, toUserId: ben.id, status: "pending" }) },
      });
      expect(await send(ben.emailId)).toMatchObject(refusal(409));
      expect(await send(world.stranger().emailId)).toMatchObject(refusal(404));
      for (const wrong of [undefined, ada.emailId, 7, { $ne: "" }]) expect(await send(wrong)).toMatchObject(refusal(400));
    });
  });

  row(world, "PATCH", "/request/respond/:requestId", () => {
    test("is refused to all but who was asked, and after the answer", async () => {
      const [ada, ben, cleo] = await world.people(3);
      const path = `/request/respond/${await invite(ada, ben)}`;
      for (const other of [ada, cleo]) expect(await by(other)("PATCH", path, { status: "accepted" })).toMatchObject(refusal(404));
      await by(ben)("PATCH", path, { status: "rejected" });
      expect(await by(ben)("PATCH", path, { status: "accepted" })).toMatchObject(refusal(404));
    });

    test.each(["accepted", "rejected"])("answers the request, %s", async (status) => {
      const [ada, ben] = await world.people(2);
      const path = `/request/respond/${await invite(ada, ben)}`;
      for (const wrong of [undefined, "maybe"]) expect(await by(ben)("PATCH", path, { status: wrong })).toMatchObject(refusal(400));
      expect(await by(ben)("PATCH", `/request/respond/${malformed}`, { status })).toMatchObject(refusal(400));
      expect(await by(ben)("PATCH", path, { status })).toMatchObject({
        status: 200,
        body: { message: text, data: known("request", { fromUserId: ada.id, toUserId: ben.id, status }) },
      });
    });
  });

  describe.each([
    ["sent", 0],
    ["received", 1],
  ] as const)("of invites %s", (box, reader) => {
    row(world, "GET", `/request/invites/${box}`, () => {
      test("answers one's own, of every status, the newest first", async () => {
        const people = await world.people(3);
        const [ada, ben, cleo] = people;
        await by(ben)("PATCH", `/request/respond/${await invite(ada, ben)}`, { status: "rejected" });
        if (reader === 0) await invite(ada, cleo);
        else await invite(cleo, ben);
        const answer = await by(people[reader])("GET", `/request/invites/${box}`);
        const data = ["pending", "rejected"].map((status) => expect.objectContaining(known("request", { status })));
        expect(answer).toMatchObject({ status: 200, body: { message: text, data, count: 2, source: text } });
      });
    });
  });

  row(world, "DELETE", "/request/cancel/:requestId", () => {
    test("is refused to all but the sender, and after the answer", async () => {
      const { ada, ben, cleo, requestId } = await three();
      const path = `/request/cancel/${await invite(cleo, ben)}`;
      expect(await by(ben)("DELETE", path)).toMatchObject(refusal(403));
      expect(await by(ada)("DELETE", path)).toMatchObject(refusal(404));
      expect(await by(ada)("DELETE", `/request/cancel/${requestId}`)).toMatchObject(refusal(409));
    });

    test("takes the invite back", async () => {
      const [ada, ben] = await world.people(2);
      const path = `/request/cancel/${await invite(ada, ben)}`;
      expect(await by(ada)("DELETE", path)).toMatchObject({ status: 200, body: { message: text } });
      expect(await by(ada)("DELETE", path)).toMatchObject(refusal(404));
      expect(await by(ada)("DELETE", `/request/cancel/${malformed}`)).toMatchObject(refusal(400));
      expect((await by(ben)("GET", "/request/invites/received")).body.data).toEqual([]);
    });
  });
});
