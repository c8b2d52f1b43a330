/** What all routes share: errors in JSON and their order, security headers, CORS, the Origin rule, and the state for operators. */
import { expect, test } from "@jest/globals";
import { file, sendFile } from "../../support/files/uploads.ts";
import { malformed } from "../../support/people/legacy-client.ts";
import { connect, requestJson } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const evil = "https://evil.example";

story("HTTP", (world) => {
  test.each([
    ["GET", "/"],
    ["GET", "/nothing/here"],
    ["GET", "/auth/signup"],
    ["DELETE", "/chat/my-chats"],
    ["GET", "/~node/list"],
    ["POST", "/auth.accounts"],
    ["POST", "/auth/accounts"],
    ["GET", "/chat/memberships"],
    ["GET", "/%E0%A4%A"],
  ])("%s %s is an unknown route: 404 in JSON, also without a session", async (method, path) => {
    const answer = await requestJson(world.gateways()[0], method, path);
    expect(answer).toMatchObject({ status: 404, body: { code: "NOT_FOUND", message: expect.any(String), requestId: expect.any(String) } });
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  });

  test.each(["{", '{"emailId": ', "[1,", "nonsense", '"text"', "[]", "7", "null", "\u0000"])(
    "the body %j is refused with an error in JSON",
    async (body) => {
      const answer = await requestJson(world.gateways()[0], "POST", "/auth/login", { body });
      expect(answer).toMatchObject({
        status: 400,
        body: { code: "VALIDATION", message: expect.any(String), requestId: expect.any(String) },
      });
    },
  );

  test("a body over 100 kB gets 413 in JSON, and a body just below is read", async () => {
    const { request, url } = await signedIn();
    const huge = JSON.stringify({ oldPassword: "x".repeat(110_000), newPassword: "x" });
    expect(await requestJson(url, "POST", "/auth/login", { body: huge })).toMatchObject({
      status: 413,
      body: { code: "TOO_LARGE", requestId: expect.any(String) },
    });
    expect(await request("PATCH", "/auth/changePassword", { body: huge })).toMatchObject({ status: 413 });
    expect((await request("PATCH", "/auth/changePassword", { body: { oldPassword: "x".repeat(99_000), newPassword: "x" } })).status).toBe(
      400,
    );
  });

  test("a request with several faults gets the first error of the order 404, 413, 401, 403, 400", async () => {
    const { request, url } = await signedIn();
    const huge = "x".repeat(110_000);
    const headers = { origin: evil };
    expect((await requestJson(url, "POST", "/chat/nothing", { body: huge, headers })).status).toBe(404);
    expect((await requestJson(url, "POST", "/chat/create-direct", { body: huge, headers })).status).toBe(413);
    expect((await requestJson(url, "POST", "/chat/create-direct", { body: {}, headers })).status).toBe(401);
    expect((await request("POST", "/chat/create-direct", { body: {}, headers })).status).toBe(403);
    expect((await request("POST", "/chat/create-direct", { body: {} })).status).toBe(400);
  });

  test("every answer has the security headers", async () => {
    const [url] = world.gateways();
    for (const path of ["/health", "/nothing", "/auth/me"]) {
      const { headers } = await requestJson(url, "GET", path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toMatch(/^(DENY|SAMEORIGIN)$/);
      expect(headers.get("content-security-policy")).toEqual(expect.any(String));
      expect(headers.get("x-powered-by")).toBeNull();
    }
  });

  test("every kind of fault has its own status and code", async () => {
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

  test("every 401 has the same shape, whatever is wrong with the session", async () => {
    const [url] = world.gateways();
    for (const headers of [{}, { cookie: "token=nonsense" }, { authorization: "Bearer nonsense" }]) {
      for (const path of ["/auth/me", "/profile/getProfile", "/request/invites/sent", "/chat/my-chats"]) {
        const answer = await requestJson(url, "GET", path, { headers });
        expect(answer.status).toBe(401);
        expect(Object.keys(answer.body).sort()).toEqual(["code", "message", "requestId"]);
      }
    }
  });

  test("only our own origin may change state or connect with a user's cookie; an origin that contains ours may not", async () => {
    const { token, url } = await signedIn();
    const cookie = `token=${token}`;
    const write = (headers: Record<string, string>) =>
      requestJson(url, "PUT", "/profile/patchProfile", { body: { age: 7 }, headers: { cookie, ...headers } });
    const foreign = [
      evil,
      "null",
      `${url}.evil.example`,
      `https://evil.example/${url}`,
      `http://evil.example?${url}`,
      url.replace("//", "//evil."),
    ];
    for (const origin of foreign) {
      const answer = await write({ origin });
      expect(answer).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
      await expect(connect(url, { headers: { cookie, origin } })).rejects.toThrow();
    }
    const allowed = await write({ origin: url });
    expect(allowed.status).toBe(200);
    // Two headers would appear as one value with a comma.
    expect(allowed.headers.get("access-control-allow-origin")).toBe(url);
    expect((await write({})).status).toBe(200);
    const preflight = await requestJson(url, "OPTIONS", "/profile/patchProfile", {
      headers: { origin: url, "access-control-request-method": "PUT" },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, url]);
  });

  test("a foreign origin gets no CORS headers", async () => {
    const [url] = world.gateways();
    const { headers } = await requestJson(url, "GET", "/auth/me", { headers: { origin: evil } });
    expect(headers.get("access-control-allow-origin")).not.toBe(evil);
    expect(headers.get("access-control-allow-origin")).not.toBe("*");
    const preflight = await requestJson(url, "OPTIONS", "/auth/login", {
      headers: { origin: evil, "access-control-request-method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("/health and /ready need no session", async () => {
    for (const url of world.gateways()) {
      expect((await requestJson(url, "GET", "/health")).status).toBe(200);
      expect((await requestJson(url, "GET", "/ready")).status).toBe(200);
    }
  });

  test("a request id with unsafe characters is not used", async () => {
    const { body } = await requestJson(world.gateways()[0], "GET", "/auth/me", { headers: { "x-request-id": "<script>" } });
    expect(body.requestId).not.toContain("<");
  });

  async function signedIn() {
    const person = await world.person();
    return { token: person.token, url: person.url, request: person.request.bind(person) };
  }
});
