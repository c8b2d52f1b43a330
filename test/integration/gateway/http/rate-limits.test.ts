/** Tests the rate limits: a client over a limit gets 429 with Retry-After, and others are not affected. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "../../../support/eventually.ts";
import { factory, type Factory } from "../../../support/people/factory.ts";
import { requestJson, connect, type ApiResponse } from "../../../support/people/person.ts";
import { startEmbedded, type EmbeddedServer } from "../../../support/servers/server.ts";

let server: EmbeddedServer;
let made: Factory;

/** A new address, as a trusted proxy reports it. */
let hosts = 0;
const from = () => ({ "x-forwarded-for": `192.0.2.${++hosts}` });
const times = <T>(count: number, make: (i: number) => Promise<T>) => Promise.all(Array.from({ length: count }, (_, i) => make(i)));

function expectRefused({ status, body, headers }: ApiResponse): void {
  expect({ status, body }).toMatchObject({
    status: 429,
    body: { code: "RATE_LIMITED", message: expect.any(String), requestId: expect.any(String) },
  });
  expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
}

beforeAll(async () => {
  server = await startEmbedded({ env: { LIMITS: "on", TRUST_PROXY: "1" } });
  made = factory(() => [server.url]);
});
afterAll(async () => {
  made.disconnectAll();
  await server.stop();
});

test("an address has 10 requests a second and 20 more at once; another address is not touched", async () => {
  const headers = from();
  const answers = await times(60, () => requestJson(server.url, "GET", "/auth/me", { headers }));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(30);
  expect(refused.length).toBeGreaterThanOrEqual(10);
  expectRefused(refused[0]!);
  expect((await requestJson(server.url, "GET", "/auth/me", { headers: from() })).status).toBe(401);
});

test("a refused client is accepted again after Retry-After", async () => {
  const headers = from();
  const refused = (await times(60, () => requestJson(server.url, "GET", "/auth/me", { headers }))).find(({ status }) => status === 429)!;
  await new Promise((resolve) => setTimeout(resolve, Number(refused.headers.get("retry-after")) * 1000));
  expect((await requestJson(server.url, "GET", "/auth/me", { headers })).status).toBe(401);
});

test("a signed-in user is counted across addresses, without affecting other users", async () => {
  const [a, b] = await signedUp(2);
  const answers = await times(60, () => a!.request("GET", "/auth/me", { headers: from() }));
  expectRefused(answers.find(({ status }) => status === 429)!);
  expect((await b!.request("GET", "/auth/me", { headers: from() })).status).toBe(200);
});

test("health and readiness are never refused", async () => {
  const headers = from();
  const answers = await times(100, (i) => requestJson(server.url, "GET", i % 2 === 0 ? "/health" : "/ready", { headers }));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
});

test("an unknown route is answered with 404 before any limit applies", async () => {
  const headers = from();
  const answers = await times(60, () => requestJson(server.url, "GET", "/nothing", { headers }));
  expect(answers.every(({ status }) => status === 404)).toBe(true);
});

test("fifteen log-ins of one account from one address; then another address may still try", async () => {
  const [a] = await signedUp(1);
  const body = { emailId: a!.emailId, password: "Wrong-Password-1" };
  const headers = from();
  const statuses: number[] = [];
  for (let i = 0; i < 16; i++) {
    const answer = await requestJson(server.url, "POST", "/auth/login", { body, headers });
    statuses.push(answer.status);
    if (i === 15) expectRefused(answer);
  }
  expect(statuses).toEqual([...Array.from({ length: 15 }, () => 401), 429]);
  expect((await requestJson(server.url, "POST", "/auth/login", { body: { ...body, password: a!.password }, headers: from() })).status).toBe(
    200,
  );
});

test("a user has 10 messages a second and a burst of 30, and may repeat a refused message", async () => {
  const [a, b] = await signedUp(2);
  const { _id } = (await a!.request("POST", "/request/invite/send", { body: { toEmail: b!.emailId }, headers: from() })).body.data;
  await b!.request("PATCH", `/request/respond/${_id}`, { body: { status: "accepted" }, headers: from() });
  const chatId = (await a!.request("POST", "/chat/create-direct", { body: { receiverId: b!.id }, headers: from() })).body._id;
  const line = await connect(server.url, { auth: { token: a!.token }, headers: from() });
  const send = (i: number) => line.call("sendMessage", { chatId, text: `${i}`, clientId: `${i}` });
  const answers = await times(80, send);
  expect(answers.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(30);
  const first = answers.findIndex(({ ok }) => !ok);
  expect(answers[first]).toMatchObject({ ok: false, error: { code: "RATE_LIMITED", retryAfterMs: expect.any(Number) } });
  await eventually("the refused message is stored", async () => (await send(first)).ok);
  line.close();
});

test("a session cannot be used to guess the password", async () => {
  const [a] = await signedUp(1);
  const statuses: number[] = [];
  for (let i = 0; i < 16; i++) {
    const body = { oldPassword: `Wrong-Password-${i}`, newPassword: "Correct-Horse-8" };
    statuses.push((await a!.request("PATCH", "/auth/changePassword", { body, headers: from() })).status);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(statuses).toEqual([...Array.from({ length: 15 }, () => 401), 429]);
});

test("unknown events are counted like known ones", async () => {
  const [a] = await signedUp(1);
  const line = await connect(server.url, { auth: { token: a!.token }, headers: from() });
  const codes = (await times(60, () => line.call("nonsense", {}))).map((answer) => (answer.ok ? "ok" : answer.error.code));
  expect(new Set(codes)).toEqual(new Set(["NOT_FOUND", "RATE_LIMITED"]));
  line.close();
});

// An empty `sid` opens a connection too.
test.each(["", "&sid=", "&sid=a&sid="])(
  "an address may open as many connections as an office needs, but not a flood of them: %j",
  async (sid) => {
    const headers = from();
    const open = () => fetch(`${server.url}/socket.io/?EIO=4&transport=polling${sid}`, { headers }).then(({ status }) => status);
    const began = performance.now();
    const statuses = await times(500, open);
    const seconds = Math.ceil((performance.now() - began) / 1000);
    const letIn = statuses.filter((status) => status === 200).length;
    expect(letIn).toBeGreaterThanOrEqual(300);
    expect(letIn).toBeLessThanOrEqual(300 + 50 * (seconds + 1));
    expect(statuses.filter((status) => status === 403)).toHaveLength(500 - letIn);
    expect((await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, { headers: from() })).status).toBe(200);
  },
);

async function signedUp(count: number) {
  return times(count, async () => {
    const person = made.stranger();
    expect((await person.signUp(from())).status).toBe(201);
    return person;
  });
}
