/** PingTalk's wrong statuses and shapes, each with what Parley does instead; docs/security.md lists them by their numbers. */
import { expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { requestJson } from "../support/people/person.ts";
import { pixel } from "../support/people/legacy-client.ts";
import { story } from "../support/systems/story.ts";
import { file, sendFile } from "../support/files/uploads.ts";

const malformed = "no-id";

story("PingTalk's wrong statuses and shapes are not ours", (world) => {
  test("defect 11: a status says what was wrong, alike everywhere", async () => {
    const { a: someone, chatId } = await world.pair();
    const page = `data:image/png;base64,${btoa("<!doctype html><script>alert(1)</script>")}`;
    const huge = JSON.stringify({ text: "x".repeat(200_000) });
    const answers = [
      [409, "CONFLICT", await someone.signUp()],
      [400, "VALIDATION", await someone.get(`/chat/messages/${malformed}`)],
      [400, "VALIDATION", await someone.post("/chat/create-direct", { receiverId: malformed })],
      [400, "VALIDATION", await someone.put("/chat/add-to-group", { chatId: malformed, userIdToAdd: someone.id })],
      [400, "VALIDATION", await someone.get(`/profile/profile/${malformed}`)],
      [400, "VALIDATION", await someone.delete(`/request/cancel/${malformed}`)],
      [413, "TOO_LARGE", await someone.request("POST", "/chat/messages", { body: huge })],
      [
        415,
        "UNSUPPORTED_TYPE",
        await someone.request("POST", "/chat/messages", { body: "Hello", headers: { "content-type": "text/plain" } }),
      ],
      [413, "TOO_LARGE", await sendFile(someone, chatId, file(Buffer.alloc(5 * 1024 * 1024 + 1)))],
      [415, "UNSUPPORTED_TYPE", await someone.put("/profile/patchProfile", { profilePic: page })],
      [404, "NOT_FOUND", await someone.get("/chat/nothing")],
    ] as const;
    for (const [status, code, answer] of answers) {
      expect(answer).toMatchObject({ status, body: { code, message: expect.any(String), requestId: expect.any(String) } });
      expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    }
  });

  test("defect 12: a list has one shape, cached or fresh, and every 401 has one", async () => {
    const [a, b] = await world.people(2);
    await a.post("/request/invite/send", { toEmail: b.emailId });
    const fresh = (await a.get("/request/invites/sent")).body;
    expect(fresh.source).toBe("database");
    const cached = await eventually("the cache answers", async () => {
      const { body } = await a.get("/request/invites/sent");
      return body.source === "cache" && body;
    });
    expect({ ...cached, source: "" }).toEqual({ ...fresh, source: "" });
    expect(Object.keys(fresh).sort()).toEqual(["count", "data", "message", "source"]);
    for (const headers of [{}, { cookie: "token=nonsense" }, { authorization: "Bearer nonsense" }]) {
      for (const path of ["/auth/me", "/profile/getProfile", "/request/invites/sent", "/chat/my-chats"]) {
        const answer = await requestJson(a.url, "GET", path, { headers });
        expect(answer.status).toBe(401);
        expect(Object.keys(answer.body).sort()).toEqual(["code", "message", "requestId"]);
      }
    }
  });

  test("defect 13: a profile is changed a field at a time, and what is not named stays", async () => {
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
});
