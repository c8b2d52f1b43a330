/** Sessions and errors of the gateway over HTTP. */
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Forbidden } from "../../../../core/errors.ts";
import { newId } from "../../../../core/ids.ts";
import { portsOf } from "../../../../core/node/ports.ts";
import { followSessions } from "../../../../services/gateway/shared/sessions.ts";
import { eventually } from "../../../support/eventually.ts";
import { anyone, password, portOf, stubbedGateway, tokenIn } from "../../../support/gateway/stubbed-gateway.ts";

const gateway = stubbedGateway();
const { answers, ask, base, broker, signedUp } = gateway;
beforeAll(() => gateway.start());
afterAll(() => gateway.stop());

const inner = "connect ECONNREFUSED 10.0.0.5:27017";

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
    const { feed, clock, installation, jwtSecrets } = portsOf(broker());
    const sessions = await followSessions({ broker: broker(), feed, clock, installation, jwtSecrets, log: broker().logger });
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
    await eventually("the sessions are known", answered);
    expect(sessions.check(token)).toBeUndefined();
    sessions.stop();
  });
  test("that ends is announced to those who cut its sockets", async () => {
    const { token, userId } = await signedUp();
    const { feed, clock, installation, jwtSecrets } = portsOf(broker());
    const sessions = await followSessions({ broker: broker(), feed, clock, installation, jwtSecrets, log: broker().logger });
    const ended: string[] = [];
    sessions.onRevoked((revocation) => ended.push(revocation.userId));
    await ask("POST", "/auth/logout", { token });
    await eventually("the end is announced", () => ended.includes(userId));
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
    const port = portOf(broker());
    const answerTo = (bytes: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let received = "";
        const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
        socket.on("data", (chunk) => (received += chunk.toString()));
        socket.on("close", () => resolve(received));
        socket.on("error", reject);
      });
    expect(await answerTo("this is not http\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 .*"code":"VALIDATION"/s);
    expect(await answerTo(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(70_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    // A slow network may have caused it, so the client may retry.
    expect(await answerTo("GET / HTTP/1.1\r\nHost: x\r\n")).toMatch(/^HTTP\/1\.1 408 .*"code":"UNAVAILABLE"/s);
    expect((await ask("GET", "/health")).status).toBe(200);
  });
});

test("an unknown Expect header is ignored", async () => {
  const headers = { expect: "something" };
  const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const request = httpRequest(`${base()}/nothing`, { headers }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    request.on("error", reject).end();
  });
  expect({ ...answer, body: JSON.parse(answer.body) }).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
});
