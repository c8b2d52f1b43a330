/** Checks of requests in their order, the gateway's answers over HTTP, and its rules for pages of other origins. */
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Forbidden } from "../../../../core/errors.ts";
import { newId } from "../../../../core/ids.ts";
import { anyone, stubbedGateway } from "../../../support/gateway/stubbed-gateway.ts";
import type { Received } from "../../../support/people/person.ts";

const gateway = stubbedGateway();
const { answers, ask, base, signedUp } = gateway;
beforeAll(() => gateway.start());
afterAll(() => gateway.stop());

describe("the order of checks", () => {
  const large = JSON.stringify({ name: "x".repeat(110 * 1024) });
  const foreign = { origin: "https://evil.example" };
  test("is size, credential, origin, input, and only then the action", async () => {
    const { token } = await signedUp();
    const path = "/chat/create-direct";
    answers["createDirect"] = () => {
      throw new Forbidden();
    };
    expect((await ask("POST", path, { raw: large, headers: foreign })).status).toBe(413);
    expect((await ask("POST", path, { raw: "{", headers: foreign })).status).toBe(401);
    expect(await ask("POST", path, { raw: "{", headers: foreign, token })).toMatchObject({
      status: 403,
      body: { message: "This origin is not allowed" },
    });
    expect((await ask("POST", path, { raw: "{", token })).status).toBe(400);
    expect(await ask("POST", path, { body: { receiverId: newId() }, token })).toMatchObject({
      status: 403,
      body: { message: "Not allowed" },
    });
    expect((await ask("POST", "/nowhere", { raw: large })).status).toBe(404);
  });
  test("refuses a body over the limit that declares no length", async () => {
    const { token } = await signedUp();
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(`${base()}/chat/create-direct`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      });
      request.on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on("error", reject);
      for (let i = 0; i < 4; i++) request.write("x".repeat(50 * 1024));
      request.end();
    });
    expect(status).toBe(413);
  });
  test("allows sync a megabyte", async () => {
    const { token } = await signedUp();
    answers["sync"] = ({ params }) => ({ answer: { chats: [], count: Object.keys(params.since as object).length }, positions: [] });
    const since = Object.fromEntries(Array.from({ length: 10_000 }, () => [newId(), 1]));
    expect(await ask("POST", "/chat/sync", { body: { since }, token })).toMatchObject({ status: 200, body: { count: 10_000 } });
  });
});

describe("input", () => {
  let token: string;
  beforeAll(async () => {
    ({ token } = await signedUp());
    answers["createGroup"] = ({ params }) => params;
    answers["history"] = ({ params }) => ({ messages: [{ n: 5 }, { n: 6 }], more: true, params });
  });
  const group = (raw: string | Buffer, headers: Record<string, string> = {}) => ask("POST", "/chat/create-group", { raw, token, headers });
  const history = (query: string) => ask("GET", `/chat/messages/${newId()}${query}`, { token });

  test("that is not a JSON object in UTF-8 is 400", async () => {
    for (const raw of ["{", "", "null", "[]", '"x"', "{'a':1}", "[".repeat(50_000), Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])]) {
      const { status, body } = await group(raw);
      expect({ status, code: body.code }).toEqual({ status: 400, code: "VALIDATION" });
    }
  });
  test("that is declared to be anything else is 415", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/jsonx"]) {
      expect(await group("{}", { "content-type": type })).toMatchObject({ status: 415, body: { code: "UNSUPPORTED_TYPE" } });
    }
    expect((await group("{}", { "content-type": "Application/JSON; charset=UTF-8" })).status).toBe(400);
  });
  test("with missing, wrong, unknown or nested fields names them", async () => {
    const { status, body } = await group(JSON.stringify({ name: { $ne: "" }, participants: [{ $gt: "" }, newId()], evil: true }));
    expect(status).toBe(400);
    expect(body.details.map(({ field }: { field: string }) => field)).toEqual(["name", "participants[0]", "evil"]);
  });
  test("is refused where the route does not take it", async () => {
    expect((await group(JSON.stringify({ name: "Us", participants: [newId(), newId()] }))).status).toBe(201);
    expect((await ask("POST", "/chat/create-group?x=1", { body: {}, token })).body.message).toBe("This route takes no query");
    expect(await history(`?chatId=${newId()}`)).toMatchObject({ status: 400, body: { details: [{ field: "chatId" }] } });
    expect((await ask("DELETE", `/request/cancel/${newId()}`, { body: { a: 1 }, token })).status).toBe(400);
  });
  test("in a query may not repeat, nest or be badly encoded", async () => {
    for (const query of [
      "?limit=1&limit=2",
      "?limit[]=1",
      "?limit[$gt]=1",
      "?limit=%zz",
      "?nope=1",
      "?__proto__=1",
      "?limit=0",
      "?limit=201",
      "?limit=x",
    ]) {
      expect({ query, status: (await history(query)).status }).toEqual({ query, status: 400 });
    }
  });
  test("in a path is 400 if it is not an id or badly encoded", async () => {
    for (const path of ["/chat/messages/xyz", "/chat/messages/%zz", `/chat/messages/${newId().toUpperCase()}0`]) {
      expect({ path, status: (await ask("GET", path, { token })).status }).toEqual({ path, status: 400 });
    }
  });
});

describe("answers", () => {
  let token: string;
  beforeAll(async () => void ({ token } = await signedUp()));

  test("that are bare lists link to the next page, in the requested direction", async () => {
    const chatId = newId();
    answers["history"] = () => ({ messages: [{ n: 5 }, { n: 6 }], more: true });
    const older = await ask("GET", `/chat/messages/${chatId}?limit=2`, { token });
    expect(older.body).toEqual([{ n: 5 }, { n: 6 }]);
    expect(older.headers.get("link")).toBe(`</chat/messages/${chatId}?before=5&limit=2>; rel="next"`);
    const newer = await ask("GET", `/chat/messages/${chatId}?after=4&limit=2`, { token });
    expect(newer.headers.get("link")).toBe(`</chat/messages/${chatId}?after=6&limit=2>; rel="next"`);
    answers["myChats"] = () => ({ chats: [], next: "17:ab" });
    expect((await ask("GET", "/chat/my-chats", { token })).headers.get("link")).toBe(
      '</chat/my-chats?before=17%3Aab&limit=50>; rel="next"',
    );
    answers["myChats"] = () => ({ chats: [] });
    expect((await ask("GET", "/chat/my-chats", { token })).headers.has("link")).toBe(false);
  });
  test("to a send say whether it is new, stored before, or why not", async () => {
    const sent: Received[] = [];
    const send = (draft: object) => ask("POST", "/chat/messages", { body: { chatId: newId(), text: " hi ", ...draft }, token });
    answers["send"] = ({ params }) => {
      sent.push(params.messages);
      return [{ ok: true, message: { text: params.messages[0].text }, stored: params.messages[0].clientId !== "again" }];
    };
    expect(await send({})).toMatchObject({ status: 201, body: { text: " hi " } });
    expect((await send({ clientId: "again" })).status).toBe(200);
    expect(sent[0]).toEqual([{ text: " hi ", clientId: expect.stringMatching(/^[0-9a-f]{24}$/) }]);
    answers["send"] = () => [{ ok: false, error: { code: "UNAVAILABLE", message: "Queue full", retryAfterMs: 2500 } }];
    const refused = await send({});
    expect(refused).toMatchObject({ status: 503, body: { code: "UNAVAILABLE", message: "Queue full" } });
    expect(refused.headers.get("retry-after")).toBe("3");
    for (const bad of [
      { text: "" },
      { text: " \n" },
      { text: 5 },
      { clientId: null },
      { clientId: "x".repeat(65) },
      { replyTo: "x" },
      { senderId: newId() },
    ])
      expect((await send(bad)).status).toBe(400);
  });
  test("depend on an action that gets the caller and their address", async () => {
    let meta: unknown;
    answers["myChats"] = (ctx) => {
      meta = ctx.meta;
      return { chats: [] };
    };
    const person = await signedUp();
    await ask("GET", "/chat/my-chats", { token: person.token, from: "192.0.2.77", headers: { "user-agent": "u".repeat(500) } });
    expect(meta).toMatchObject({ user: { id: person.userId }, client: { address: "192.0.2.77", device: "u".repeat(200) } });
  });
  test("to HEAD are those to GET without their body", async () => {
    const head = await ask("HEAD", "/health");
    expect({ status: head.status, body: head.body }).toEqual({ status: 200, body: undefined });
  });
});

describe("a web page of", () => {
  const preflight = (origin: string) =>
    ask("OPTIONS", "/auth/login", {
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
    });
  test("our own origin may call, with its credential", async () => {
    const { status, headers } = await preflight(base());
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe(base());
    expect(headers.get("access-control-allow-credentials")).toBe("true");
    expect(headers.get("access-control-allow-methods")).toContain("PATCH");
    expect((await ask("POST", "/auth/signup", { body: anyone(), headers: { origin: base() } })).status).toBe(201);
  });
  test("another origin may not: it changes nothing and reads nothing", async () => {
    const origin = "https://evil.example";
    const { status, headers } = await preflight(origin);
    expect({ status, allowed: headers.get("access-control-allow-origin") }).toEqual({ status: 204, allowed: null });
    expect((await ask("POST", "/auth/signup", { body: anyone(), headers: { origin } })).status).toBe(403);
    expect((await ask("GET", "/health", { headers: { origin } })).headers.has("access-control-allow-origin")).toBe(false);
  });
});
