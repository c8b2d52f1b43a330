/** HTTP's manners: JSON errors everywhere, their order, security headers, CORS, the Origin rule, and what operators ask. */
import { expect, test } from "@jest/globals";
import { requestJson } from "../../support/people/person.ts";
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
  ])("%s %s is an unknown route: 404 in JSON, also for nobody", async (method, path) => {
    const answer = await requestJson(world.gateways()[0], method, path);
    expect(answer).toMatchObject({ status: 404, body: { code: "NOT_FOUND", message: expect.any(String), requestId: expect.any(String) } });
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  });

  test.each(["{", '{"emailId": ', "[1,", "nonsense", '"text"', "[]", "7", "null", "\u0000"])(
    "the body %j is refused in JSON",
    async (body) => {
      const answer = await requestJson(world.gateways()[0], "POST", "/auth/login", { body });
      expect(answer).toMatchObject({
        status: 400,
        body: { code: "VALIDATION", message: expect.any(String), requestId: expect.any(String) },
      });
    },
  );

  test("a body over 100 kB is 413 in JSON, one just below is read", async () => {
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

  test("of several faults the earlier in the order is told: 404, 413, 401, 403, 400", async () => {
    const { request, url } = await signedIn();
    const huge = "x".repeat(110_000);
    const headers = { origin: evil };
    expect((await requestJson(url, "POST", "/chat/nothing", { body: huge, headers })).status).toBe(404);
    expect((await requestJson(url, "POST", "/chat/create-direct", { body: huge, headers })).status).toBe(413);
    expect((await requestJson(url, "POST", "/chat/create-direct", { body: {}, headers })).status).toBe(401);
    expect((await request("POST", "/chat/create-direct", { body: {}, headers })).status).toBe(403);
    expect((await request("POST", "/chat/create-direct", { body: {} })).status).toBe(400);
  });

  test("security headers are on every answer", async () => {
    const [url] = world.gateways();
    for (const path of ["/health", "/nothing", "/auth/me"]) {
      const { headers } = await requestJson(url, "GET", path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toMatch(/^(DENY|SAMEORIGIN)$/);
      expect(headers.get("content-security-policy")).toEqual(expect.any(String));
      expect(headers.get("x-powered-by")).toBeNull();
    }
  });

  test("a page of a foreign origin changes nothing, also with the cookie; our own may", async () => {
    const { token, url } = await signedIn();
    const cookie = `token=${token}`;
    const write = (headers: Record<string, string>) =>
      requestJson(url, "PUT", "/profile/patchProfile", { body: { age: 7 }, headers: { cookie, ...headers } });
    for (const origin of [evil, "null", `${url}.evil.example`]) {
      expect(await write({ origin })).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    }
    expect((await write({ origin: url })).status).toBe(200);
    expect((await write({})).status).toBe(200);
  });

  test("a foreign origin is given no leave to read", async () => {
    const [url] = world.gateways();
    const { headers } = await requestJson(url, "GET", "/auth/me", { headers: { origin: evil } });
    expect(headers.get("access-control-allow-origin")).not.toBe(evil);
    expect(headers.get("access-control-allow-origin")).not.toBe("*");
    const preflight = await requestJson(url, "OPTIONS", "/auth/login", {
      headers: { origin: evil, "access-control-request-method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("anyone may ask whether the server is up and ready", async () => {
    for (const url of world.gateways()) {
      expect((await requestJson(url, "GET", "/health")).status).toBe(200);
      expect((await requestJson(url, "GET", "/ready")).status).toBe(200);
    }
  });

  test("a stranger's request id is not taken over where it could do harm", async () => {
    const { body } = await requestJson(world.gateways()[0], "GET", "/auth/me", { headers: { "x-request-id": "<script>" } });
    expect(body.requestId).not.toContain("<");
  });

  async function signedIn() {
    const person = await world.person();
    return { token: person.token, url: person.url, request: person.request.bind(person) };
  }
});
