/** Tracing of an embedded server: which requests leave spans, and that neither an unavailable collector nor hostile headers do harm. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTraceCollector, type TestTraceCollector } from "../../support/infrastructure/trace-collector.ts";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { requestJson } from "../../support/people/person.ts";
import { freePort, startEmbedded, type ServerEnv, type EmbeddedServer } from "../../support/servers/server.ts";

let collector: TestTraceCollector;
let server: EmbeddedServer | undefined;

beforeEach(async () => {
  collector = await startTraceCollector();
});
afterEach(async () => {
  await server?.stop();
  await collector.stop();
});

async function start(env: ServerEnv) {
  server = await startEmbedded({ env });
  const { url } = server;
  return { url, log: server.log, made: factory(() => [url]) };
}

test("the spans of a request form one trace", async () => {
  const { made } = await start({ TRACING_URL: collector.url, TRACING_SAMPLE: "1" });
  const { a, chatId } = await made.pair();
  const sent = await a.post("/chat/messages", { chatId, text: "Hello" });
  const requestId = sent.headers.get("x-request-id")!;
  const ofRequest = () => collector.spans.filter(({ traceId }) => traceId.endsWith(requestId));
  const spans = await eventually(
    "its spans are collected",
    () => ofRequest().some(({ parentId }) => parentId === undefined) && ofRequest(),
  );
  const root = spans.find(({ parentId }) => parentId === undefined)!;
  expect(root.name).toBe("POST /chat/messages");
  expect(spans.find(({ name }) => name === "chat.send")).toMatchObject({ parentId: root.id });
  const ids = new Set(spans.map(({ id }) => id));
  for (const { parentId } of spans) expect(parentId === undefined || ids.has(parentId)).toBe(true);
});

test("a request that is not sampled leaves no span, even if its headers ask for one", async () => {
  const { url } = await start({ TRACING_URL: collector.url, TRACING_SAMPLE: "0" });
  const headers = {
    traceparent: "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaaaaa-01",
    b3: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaaaaa-1",
    "x-b3-sampled": "1",
    "x-request-id": "x".repeat(8000),
  };
  const answer = await requestJson(url, "GET", "/auth/me", { headers });
  expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f]{24}$/);
  expect(answer.body).not.toHaveProperty("traceId");
  await server!.stop(); // By then all spans are sent.
  expect(collector.spans).toEqual([]);
});

test("while the collector is away, requests are answered and the log says it once", async () => {
  const port = await freePort();
  const { url, log, made } = await start({ TRACING_URL: `http://me:collectors-password@127.0.0.1:${port}`, TRACING_SAMPLE: "1" });
  await made.person();
  const complaints = () =>
    log()
      .split("\n")
      .filter((line) => line.includes("does not accept spans"));
  await eventually("the log says it", () => complaints().length === 1);
  for (let i = 0; i < 20; i++) expect((await requestJson(url, "GET", "/auth/me")).status).toBe(401);
  await server!.stop();
  expect(complaints()).toHaveLength(1);
  expect(complaints()[0]).toContain(`127.0.0.1:${port}`);
  expect(log()).not.toContain("collectors-password");
});

test("too long headers are refused, and quotes and control characters in headers do not break a log line", async () => {
  const { url, log } = await start({ LOG_LEVEL: "debug" });
  const long = await fetch(`${url}/auth/me`, { headers: { "user-agent": "x".repeat(20_000) } });
  expect(long.status).toBe(431);
  await long.body?.cancel();
  const answer = await requestJson(url, "POST", "/auth/login", {
    body: { emailId: 'a"},{"security":"logged_in@example.org', password: "Wrong-Horse-1" },
    headers: { "user-agent": '\u009b2J"},{"security":"logged_in"' },
  });
  expect(answer.status).toBe(401);
  const lines = await eventually("the failed log-in is in the log", () => {
    const found = log()
      .split("\n")
      .filter((line) => line.includes('"security":"log_in_failed"'));
    return found.length === 1 && found;
  });
  expect(JSON.parse(lines[0]!)).toMatchObject({ security: "log_in_failed", device: '?2J"},{"security":"logged_in"' });
  for (const line of log().trim().split("\n")) expect(() => JSON.parse(line) as unknown).not.toThrow();
});
