/** Profiles: one's own, those of contacts and of strangers. */
import { expect, test } from "@jest/globals";
import { requestJson } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";

story("Profiles", (world) => {
  test.each([
    ["GET", "/profile/getProfile"],
    ["GET", `/profile/profile/${nobody}`],
    ["PUT", "/profile/patchProfile"],
  ])("%s %s needs a session", async (method, path) => {
    const answer = await requestJson(world.gateways()[0], method, path, method === "GET" ? {} : { body: {} });
    expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("a profile is there from sign-up on, with the names given there", async () => {
    const { get, id, firstName, lastName } = await world.person();
    const answer = await get("/profile/getProfile");
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { userId: id, firstName, lastName, about: null, gender: null, age: null, profilePic: null } },
    });
    expect(["cache", "database"]).toContain(answer.body.source);
  });

  test("one changes any of its fields, and the next read shows it at every gateway", async () => {
    const someone = await world.person();
    await someone.get("/profile/getProfile");
    const changed = await someone.put("/profile/patchProfile", { about: "Likes rain", age: 41 });
    expect(changed).toMatchObject({
      status: 200,
      body: { message: expect.any(String), data: { about: "Likes rain", age: 41, firstName: someone.firstName } },
    });
    for (const url of world.gateways()) {
      expect((await someone.at(url).get("/profile/getProfile")).body.data).toMatchObject({ about: "Likes rain", age: 41 });
    }
    expect((await someone.put("/profile/patchProfile", { about: null })).body.data).toMatchObject({ about: null, age: 41 });
  });

  test("a contact sees the whole profile, a stranger the names and the picture", async () => {
    const [a, b, stranger] = await world.people(3);
    await a.put("/profile/patchProfile", { about: "Likes rain" });
    await world.befriend(a, b);
    expect((await b.get(`/profile/profile/${a.id}`)).body.data).toMatchObject({ userId: a.id, about: "Likes rain" });
    const summary = (await stranger.get(`/profile/profile/${a.id}`)).body.data;
    expect(summary).toEqual({ userId: a.id, firstName: a.firstName, lastName: a.lastName, profilePic: null });
  });

  test("nobody's profile is 404, a malformed id 400", async () => {
    const { get } = await world.person();
    expect(await get(`/profile/profile/${nobody}`)).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect(await get("/profile/profile/me")).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
  });

  test.each([
    ["a negative age", { age: -1 }],
    ["an age in words", { age: "forty" }],
    ["an unknown gender", { gender: "none of those" }],
    ["an endless story", { about: "x".repeat(751) }],
    ["a name of one letter", { firstName: "A" }],
    ["a field that nobody knows", { role: "admin" }],
  ])("%s is refused and changes nothing", async (_what, change) => {
    const someone = await world.person();
    const before = (await someone.get("/profile/getProfile")).body.data;
    expect(await someone.put("/profile/patchProfile", change)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    expect((await someone.get("/profile/getProfile")).body.data).toEqual(before);
  });

  test("a profile read after a change shows it, at every gateway", async () => {
    const someone = await world.person();
    const ages = () => Promise.all(world.gateways().map(async (url) => (await someone.at(url).get("/profile/getProfile")).body.data.age));
    expect(await ages()).toEqual([null, null]);
    for (const age of [41, 42]) {
      await someone.put("/profile/patchProfile", { age });
      expect(await ages()).toEqual([age, age]);
    }
  });

  test("a profile read after a change shows it, even while other reads and the change run at the same time", async () => {
    const someone = await world.person();
    const reader = someone.at(world.gateways()[1]);
    for (let age = 1; age <= 50; age++) {
      const racing = [reader.get("/profile/getProfile"), reader.get("/profile/getProfile")];
      await someone.put("/profile/patchProfile", { age });
      expect((await reader.get("/profile/getProfile")).body.data.age).toBe(age);
      await Promise.all(racing);
    }
  });
});
