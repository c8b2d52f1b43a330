/** Profiles: your own, those of your contacts and those of strangers. */
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { by, known, malformed, nobody, pixel, text } from "../../support/people/legacy-client.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

story("Profiles", (world) => {
  testNeedsSession(world, [
    ["GET", "/profile/getProfile"],
    ["GET", `/profile/profile/${nobody}`],
    ["PUT", "/profile/patchProfile"],
  ]);

  test("a new user has a profile with the names given at sign-up, in the form that PingTalk's clients read", async () => {
    const { get, id: userId, firstName, lastName } = await world.person();
    const answer = await get("/profile/getProfile");
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      data: known("profile", { userId, firstName, lastName, about: null, profilePic: null, age: null, gender: null }),
      source: expect.stringMatching(/^(cache|database)$/),
    });
  });

  test("a change shows in the next read at every gateway", async () => {
    const someone = await world.person();
    await someone.get("/profile/getProfile");
    const changed = await someone.put("/profile/patchProfile", { about: "Likes rain", age: 41 });
    expect(changed).toMatchObject({
      status: 200,
      body: { message: text, data: { about: "Likes rain", age: 41, firstName: someone.firstName } },
    });
    for (const url of world.gateways()) {
      expect((await someone.at(url).get("/profile/getProfile")).body.data).toMatchObject({ about: "Likes rain", age: 41 });
    }
    expect((await someone.put("/profile/patchProfile", { about: null })).body.data).toMatchObject({ about: null, age: 41 });
  });

  test("PingTalk's clients can send all fields and the picture again with every change", async () => {
    const [a, stranger] = await world.people(2);
    const fields = { firstName: "Adele", lastName: "E", about: "Likes rain", gender: "Female", age: 41 };
    const patch = (changes: object) => by(a)("PUT", "/profile/patchProfile", changes);
    const answer = await patch({ ...fields, profilePic: pixel });
    expect(answer).toMatchObject({
      status: 200,
      body: { message: text, data: known("profile", { userId: a.id, ...fields, profilePic: text }) },
    });
    const { profilePic } = answer.body.data;
    expect((await patch({ ...fields, age: 42, profilePic })).body.data).toMatchObject({ age: 42, profilePic });
    expect((await by(a)("GET", "/profile/getProfile")).body.data).toMatchObject({ ...fields, age: 42, profilePic });
    expect((await by(stranger)("GET", profilePic)).status).toBe(200);
  });

  test("a change of some fields leaves the others as they are, and a replaced picture is removed", async () => {
    const someone = await world.person();
    const { firstName, lastName } = someone;
    const change = async (fields: object) => (await someone.put("/profile/patchProfile", fields)).body.data;
    const { profilePic } = await change({ about: "Likes rain", profilePic: pixel });
    expect(await change({ age: 41 })).toMatchObject({ firstName, lastName, about: "Likes rain", age: 41, profilePic });
    expect(await change({ about: null, profilePic })).toMatchObject({ firstName, lastName, about: null, age: 41, profilePic });
    expect((await someone.get(profilePic)).status).toBe(200);
    expect(await change({ profilePic: null })).toMatchObject({ firstName, lastName, age: 41, profilePic: null });
    await eventually("the old picture is gone", async () => (await someone.get(profilePic)).status === 404);
  });

  test("a contact sees the whole profile, a stranger only the names and the picture", async () => {
    const [a, contact, stranger] = await world.people(3);
    await a.put("/profile/patchProfile", { about: "For friends", age: 41 });
    await world.befriend(a, contact);
    const seen = await contact.get(`/profile/profile/${a.id}`);
    expect(seen).toMatchObject({ status: 200, body: { data: known("profile", { userId: a.id, about: "For friends", age: 41 }) } });
    expect((await a.get(`/profile/profile/${contact.id}`)).body.data).toMatchObject({ userId: contact.id, age: null });
    const summary = (await stranger.get(`/profile/profile/${a.id}`)).body.data;
    expect(summary).toEqual({ userId: a.id, firstName: a.firstName, lastName: a.lastName, profilePic: null });
  });

  test("the profile of an unknown user is 404, a malformed id is 400", async () => {
    const { get } = await world.person();
    expect(await get(`/profile/profile/${nobody}`)).toMatchObject(refusal(404, "NOT_FOUND"));
    for (const id of ["me", malformed]) expect(await get(`/profile/profile/${id}`)).toMatchObject(refusal(400, "VALIDATION"));
  });

  test.each([
    ["a negative age", { age: -1 }],
    ["an age in words", { age: "forty" }],
    ["an age as text", { age: "41" }],
    ["an unknown gender", { gender: "none of those" }],
    ["a gender in capitals", { gender: "MALE" }],
    ["a text that is too long", { about: "x".repeat(751) }],
    ["a name of one letter", { firstName: "A" }],
    ["an unknown field", { role: "admin" }],
    ["a picture that is neither a path nor a data URI", { profilePic: "x" }],
    ["a change without fields", {}],
  ])("%s is refused and changes nothing", async (_what, change) => {
    const someone = await world.person();
    const before = (await someone.get("/profile/getProfile")).body.data;
    expect(await someone.put("/profile/patchProfile", change)).toMatchObject(refusal(400, "VALIDATION"));
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
