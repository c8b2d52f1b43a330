/**
 * The gateway over real HTTP, on a real broker with real accounts. Behind it stands a chat service of our own, so that each
 * answer and each failure of an action can be chosen. Every client comes from an address of its own, as a trusted proxy says.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request as httpRequest, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ServiceBroker, type Service, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../../../../core/broker/options.ts";
import { readiness } from "../../../../core/node/readiness.ts";
import type { Ctx } from "../../../../core/contract/call.ts";
import { readConfig } from "../../../../core/config/config.ts";
import { Forbidden, StartError } from "../../../../core/errors.ts";
import { newId } from "../../../../core/ids.ts";
import { portsOf } from "../../../../core/node/ports.ts";
import authService from "../../../../services/auth/auth.service.ts";
import { chat } from "../../../../services/chat/contract.ts";
import { followers } from "../../../../services/followers.ts";
import gatewayService from "../../../../services/gateway/gateway.service.ts";
import { listen } from "../../../../services/gateway/http/server.ts";
import { followSessions } from "../../../../services/gateway/shared/sessions.ts";
import type { Received } from "../../../support/people/person.ts";

const password = "Correct-horse-7";
const inner = "connect ECONNREFUSED 10.0.0.5:27017";

/** What chat answers, by action; a test sets what it needs. */
const answers: Record<string, (ctx: Ctx<Received>) => unknown> = {};
const chatService: ServiceSchema = {
  name: "chat",
  actions: Object.fromEntries(Object.keys(chat).map((key) => [key, (ctx: Ctx<Received>) => answers[key]?.(ctx)])),
};

let folder: string;
let broker: ServiceBroker;
let base: string;
let address = 0;

async function startBroker(): Promise<ServiceBroker> {
  const config = readConfig({
    PORT: "0",
    HOST: "127.0.0.1",
    DATA_DIR: await mkdtemp(join(folder, "data-")),
    TRUST_PROXY: "1",
    LOG_LEVEL: "fatal",
  });
  const started = new ServiceBroker(brokerOptions(config, followers));
  for (const schema of [gatewayService, authService, chatService]) started.createService(schema);
  await started.start();
  await until(async () => (await readiness(started)).parts["sessions"] === "ok");
  return started;
}
const serverOf = (of: ServiceBroker): Server => (of.getLocalService("gateway") as Service & { server: Server }).server;
const baseOf = (of: ServiceBroker): string => `http://127.0.0.1:${(serverOf(of).address() as AddressInfo).port}`;

/** Polls until a check holds. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("did not come to hold in 60 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-gateway-"));
  broker = await startBroker();
  base = baseOf(broker);
});
afterAll(async () => {
  await broker.stop();
  await rm(folder, { recursive: true, force: true });
});

interface RawRequest {
  readonly body?: unknown;
  readonly raw?: string | Buffer;
  readonly token?: string;
  readonly headers?: Record<string, string>;
  /** The address the proxy says; a new one each time if left out. */
  readonly from?: string;
  /** Another server than the shared one. */
  readonly to?: string;
}
interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Received;
}

const newAddress = (): string => `10.1.${address >> 8}.${address++ & 255}`;

async function ask(
  method: string,
  path: string,
  { body, raw, token, headers, from = newAddress(), to = base }: RawRequest = {},
): Promise<RawResponse> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const answer = await fetch(`${to}${path}`, {
    method,
    headers: {
      "x-forwarded-for": from,
      ...(sent === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
}

const anyone = () => ({ firstName: "Ada", lastName: "Lovelace", emailId: `${newId()}@example.org`, password });
const tokenIn = (cookie: string | null): string => /token=([^;]*)/.exec(cookie ?? "")?.[1] ?? "";

async function signedUp(): Promise<{ token: string; emailId: string; userId: string }> {
  const person = anyone();
  const { status, headers, body } = await ask("POST", "/auth/signup", { body: person });
  expect(status).toBe(201);
  return { token: tokenIn(headers.get("set-cookie")), emailId: person.emailId, userId: body.data._id };
}

describe("a session", () => {
  test("begins with sign-up: the account without its secret, and a cookie that holds the token", async () => {
    const person = anyone();
    const { status, headers, body } = await ask("POST", "/auth/signup", { body: person });
    expect(status).toBe(201);
    expect(body).toEqual({
      message: expect.any(String),
      data: { _id: expect.stringMatching(/^[0-9a-f]{24}$/), firstName: "Ada", lastName: "Lovelace", emailId: person.emailId },
    });
    expect(headers.get("set-cookie")).toMatch(/^token=[\w.-]+; Max-Age=86400; Path=\/; HttpOnly; SameSite=Lax$/);
    const me = await ask("GET", "/auth/me", { headers: { cookie: `token=${tokenIn(headers.get("set-cookie"))}` } });
    expect(me).toMatchObject({ status: 200, body: { data: { _id: body.data._id, emailId: person.emailId } } });
  });
  test("begins with log-in too, with the token in the body, even when a stale cookie is sent along", async () => {
    const { emailId, userId } = await signedUp();
    const login = await ask("POST", "/auth/login", { body: { emailId, password }, headers: { cookie: "token=stale" } });
    expect(login).toMatchObject({ status: 200, body: { data: { id: userId, emailId, token: expect.any(String) } } });
    expect(tokenIn(login.headers.get("set-cookie"))).toBe(login.body.data.token);
    expect((await ask("GET", "/auth/me", { token: login.body.data.token })).status).toBe(200);
  });
  test("is required where an action asks for a user", async () => {
    for (const token of [undefined, "junk", "a.b.c"]) {
      const { status, body } = await ask("GET", "/chat/my-chats", token === undefined ? {} : { token });
      expect({ status, code: body.code }).toEqual({ status: 401, code: "UNAUTHENTICATED" });
    }
  });
  test("ends with log-out: the cookie is forgotten and the token refused", async () => {
    const { token } = await signedUp();
    const logout = await ask("POST", "/auth/logout", { token });
    expect(logout.status).toBe(200);
    expect(logout.headers.get("set-cookie")).toMatch(/^token=; Max-Age=0/);
    expect((await ask("GET", "/auth/me", { token })).status).toBe(401);
    expect((await ask("POST", "/auth/logout", { token })).status).toBe(200);
  });
  test("that was revoked is refused by a gateway that starts later", async () => {
    const { token } = await signedUp();
    await ask("POST", "/auth/logout", { token });
    const { feed, clock, installation, jwtSecrets } = portsOf(broker);
    const sessions = await followSessions({ broker, feed, clock, installation, jwtSecrets, log: broker.logger });
    const answered = () => {
      try {
        sessions.check("junk");
        return true;
      } catch (error) {
        expect(error).toMatchObject({ type: "UNAVAILABLE" });
        return false;
      }
    };
    expect(answered()).toBe(false);
    await until(answered);
    expect(sessions.check(token)).toBeUndefined();
    sessions.stop();
  });
  test("that ends is announced to those who cut its sockets", async () => {
    const { token, userId } = await signedUp();
    const { feed, clock, installation, jwtSecrets } = portsOf(broker);
    const sessions = await followSessions({ broker, feed, clock, installation, jwtSecrets, log: broker.logger });
    const ended: string[] = [];
    sessions.onRevoked((revocation) => ended.push(revocation.userId));
    await ask("POST", "/auth/logout", { token });
    await until(() => ended.includes(userId));
    sessions.stop();
  });
});

describe("an error", () => {
  test("is JSON with the request's id, on unknown routes and methods too", async () => {
    const unknown = ["GET /nowhere", "DELETE /auth/me", "GET /~node/list", "GET /AUTH/me", "OPTIONS /auth/me", "GET /chat.send"];
    for (const route of unknown) {
      const [method = "", path = ""] = route.split(" ");
      const { status, headers, body } = await ask(method, path);
      expect({ status, body }).toEqual({
        status: 404,
        body: { message: "No such route", code: "NOT_FOUND", requestId: headers.get("x-request-id") },
      });
    }
  });
  test("has the security headers, as every answer does", async () => {
    for (const path of ["/nowhere", "/health", "/auth/me"]) {
      const { headers } = await ask("GET", path);
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-xss-protection")).toBe("1; mode=block");
      expect(headers.get("vary")).toBe("Origin");
    }
  });
  test("of the server reveals no internals", async () => {
    const { token } = await signedUp();
    answers["myChats"] = () => {
      throw new Error(inner);
    };
    const { status, body } = await ask("GET", "/chat/my-chats", { token });
    expect(status).toBe(500);
    expect(body).toEqual({ message: "Something went wrong on our side", code: "INTERNAL", requestId: expect.any(String) });
  });
  test("of a service that is away is 503 with Retry-After", async () => {
    const { token } = await signedUp();
    const { status, headers, body } = await ask("GET", "/profile/getProfile", { token });
    expect({ status, code: body.code, retryAfter: headers.get("retry-after") }).toEqual({
      status: 503,
      code: "UNAVAILABLE",
      retryAfter: "1",
    });
    expect(body.message).not.toMatch(/profile/);
  });
  test("of an action keeps its status and message", async () => {
    const { token } = await signedUp();
    answers["history"] = () => {
      throw new Forbidden("Not a member");
    };
    expect(await ask("GET", `/chat/messages/${newId()}`, { token })).toMatchObject({
      status: 403,
      body: { code: "FORBIDDEN", message: "Not a member" },
    });
  });
  test("is the answer to bytes that are not HTTP", async () => {
    const { port } = serverOf(broker).address() as AddressInfo;
    const answerTo = (bytes: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let heard = "";
        const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
        socket.on("data", (chunk) => (heard += chunk.toString()));
        socket.on("close", () => resolve(heard));
        socket.on("error", reject);
      });
    expect(await answerTo("this is not http\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 .*"code":"VALIDATION"/s);
    expect(await answerTo(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(70_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    // Too slow may be the line's fault: it can be tried again.
    expect(await answerTo("GET / HTTP/1.1\r\nHost: x\r\n")).toMatch(/^HTTP\/1\.1 408 .*"code":"UNAVAILABLE"/s);
    expect((await ask("GET", "/health")).status).toBe(200);
  });
});

test("an unknown Expect header is ignored", async () => {
  const headers = { expect: "something" };
  const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const request = httpRequest(`${base}/nothing`, { headers }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    request.on("error", reject).end();
  });
  expect({ ...answer, body: JSON.parse(answer.body) }).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
});

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
      const request = httpRequest(`${base}/chat/create-direct`, {
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
    const { status, headers } = await preflight(base);
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe(base);
    expect(headers.get("access-control-allow-credentials")).toBe("true");
    expect(headers.get("access-control-allow-methods")).toContain("PATCH");
    expect((await ask("POST", "/auth/signup", { body: anyone(), headers: { origin: base } })).status).toBe(201);
  });
  test("another origin may not: it changes nothing and reads nothing", async () => {
    const origin = "https://evil.example";
    const { status, headers } = await preflight(origin);
    expect({ status, allowed: headers.get("access-control-allow-origin") }).toEqual({ status: 204, allowed: null });
    expect((await ask("POST", "/auth/signup", { body: anyone(), headers: { origin } })).status).toBe(403);
    expect((await ask("GET", "/health", { headers: { origin } })).headers.has("access-control-allow-origin")).toBe(false);
  });
});

describe("limits", () => {
  const many = (count: number, once: () => Promise<RawResponse>) => Promise.all(Array.from({ length: count }, once));
  const withStatus = (heard: readonly RawResponse[], wanted: number) => heard.filter(({ status }) => status === wanted);
  /** At once, and at most how many of them may pass: 10 in each second that they touch, and 20 more in 10 s. */
  async function sixty(once: () => Promise<RawResponse>): Promise<{ heard: RawResponse[]; most: number }> {
    const began = performance.now();
    const heard = await many(60, once);
    const seconds = (performance.now() - began) / 1000;
    return { heard, most: 10 * (Math.ceil(seconds) + 1) + 20 * Math.ceil(seconds / 10) };
  }
  /** Tries again, as another, when they took so long that all might pass. */
  async function crowd<T extends { readonly most: number }>(attempt: () => Promise<T>): Promise<T> {
    const made = await attempt();
    return made.most < 60 ? made : crowd(attempt);
  }
  test("count a user's requests, from any address", async () => {
    const other = await signedUp();
    answers["myChats"] = () => ({ chats: [] });
    const { heard, most } = await crowd(async () => {
      const { token } = await signedUp();
      return sixty(() => ask("GET", "/chat/my-chats", { token }));
    });
    expect(withStatus(heard, 200).length).toBeLessThanOrEqual(most);
    const refused = withStatus(heard, 429);
    expect(refused.length).toBeGreaterThanOrEqual(60 - most);
    expect(refused[0]).toMatchObject({ body: { code: "RATE_LIMITED" } });
    expect(Number(refused[0]!.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect((await ask("GET", "/chat/my-chats", { token: other.token })).status).toBe(200);
  });
  test("count public routes and bad credentials by address, before any other check", async () => {
    const { bad, tooLarge, from } = await crowd(async () => {
      const from = newAddress();
      const bad = await sixty(() => ask("GET", "/auth/me", { token: "bad", from }));
      const tooLarge = await sixty(() => ask("POST", "/auth/login", { raw: "x".repeat(200_000), from }));
      return { bad, tooLarge, from, most: Math.max(bad.most, tooLarge.most) };
    });
    expect(withStatus(bad.heard, 401).length).toBeLessThanOrEqual(bad.most);
    expect(withStatus(bad.heard, 429).length).toBeGreaterThanOrEqual(60 - bad.most);
    expect(withStatus(tooLarge.heard, 429).length).toBeGreaterThanOrEqual(60 - tooLarge.most);
    const { token } = await signedUp();
    expect((await ask("GET", "/auth/me", { token, from })).status).toBe(200);
  });
  test("count log-ins by address and account, however the account is written", async () => {
    const { emailId } = await signedUp();
    const from = newAddress();
    const wrong = (as: string, at = from) => ask("POST", "/auth/login", { body: { emailId: as, password: "Wrong-horse-7" }, from: at });
    const heard = await many(16, () => wrong(emailId));
    expect([withStatus(heard, 401).length, withStatus(heard, 429).length]).toEqual([15, 1]);
    await until(async () => (await wrong("someone.else@example.org")).status === 401);
    expect((await wrong(` ${emailId.toUpperCase()} `)).status).toBe(429);
    expect((await wrong(emailId, newAddress())).status).toBe(401);
  });
  test("do not count health checks", async () => {
    const from = newAddress();
    expect(withStatus(await many(50, () => ask("GET", "/health", { from })), 200)).toHaveLength(50);
  });
});

describe("operators", () => {
  test("see which parts are away", async () => {
    const { status, body } = await ask("GET", "/ready");
    expect(status).toBe(503);
    expect(body.parts).toMatchObject({ store: "ok", sessions: "ok", "services called": "away: profile, request, media" });
  });
  test("read metrics on this machine only", async () => {
    const local = await fetch(`${base}/metrics`);
    expect(local.status).toBe(200);
    const text = await local.text();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
    expect(names).toEqual(expect.arrayContaining(["parley_build_info", "nodejs_eventloop_lag_p99_seconds", "process_cpu_seconds_total"]));
    // Moleculer's own would tell the machine's addresses, its user and their folder.
    expect(names.filter((name) => !/^(parley|nodejs|process)_/.test(name))).toEqual([]);
    // Calls that this gateway made to auth, which this test has not started.
    expect(text).toMatch(/^parley_part_ok\{part="services called"\} 0$/m);
    expect((await ask("GET", "/metrics")).status).toBe(404);
  });
});

describe("the server", () => {
  test("reports in one line that its port is taken", async () => {
    const { port } = serverOf(broker).address() as AddressInfo;
    const second = createServer();
    await expect(listen(second, port, "127.0.0.1")).rejects.toThrow(new StartError(`port ${port} is taken`));
  });
  test("finishes requests in flight when it stops, and accepts no new ones", async () => {
    const other = await startBroker();
    const url = baseOf(other);
    const { headers } = await ask("POST", "/auth/signup", { body: anyone(), to: url });
    const entered = Promise.withResolvers<undefined>();
    const released = Promise.withResolvers<undefined>();
    answers["myChats"] = async () => {
      entered.resolve(undefined);
      await released.promise;
      return { chats: [] };
    };
    const slow = fetch(`${url}/chat/my-chats`, { headers: { authorization: `Bearer ${tokenIn(headers.get("set-cookie"))}` } });
    await entered.promise;
    const stopped = other.stop();
    await until(() => !serverOf(other).listening);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    released.resolve(undefined);
    expect((await slow).status).toBe(200);
    await stopped;
  });
});
