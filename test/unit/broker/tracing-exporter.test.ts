/** Tests what spans contain, and that a collector that is away, slow or broken costs only dropped spans, which are counted. */
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { SpanExporter, traceCollectorOf } from "../../../core/broker/tracing/exporter.ts";
import { registryOf } from "../../../core/metrics/declare.ts";
import { newId } from "../../../core/ids.ts";
import { NotFound } from "../../../core/errors.ts";
import { startTraceCollector, type TestTraceCollector } from "../../support/infrastructure/trace-collector.ts";
import { eventually } from "../../support/eventually.ts";

let collector: TestTraceCollector;
let exporter: SpanExporter;
let broker: ServiceBroker;

beforeEach(async () => {
  collector = await startTraceCollector();
  exporter = new SpanExporter(collector.url);
  // eslint-disable-next-line no-restricted-syntax -- Moleculer takes an exporter that is made already; its types don't
  broker = new ServiceBroker({ logger: false, tracing: { enabled: true, exporter: exporter as never } });
});
afterEach(async () => {
  await exporter.stop();
  await collector.stop();
});

const finish = (count: number, error?: Error): void => {
  for (let i = 0; i < count; i++) {
    const span = broker.tracer.startSpan("chat.send", { traceID: newId(), service: { name: "chat" }, tags: { node: "here" } });
    if (error !== undefined) span.setError(error);
    span.finish();
  }
};

test("a span is exported with its name, times and codes, and without its call's params", async () => {
  const requestId = newId();
  const parent = broker.tracer.startSpan("POST /chat/messages", { traceID: requestId, service: { name: "gateway" } });
  const child = broker.tracer.startSpan("chat.send", { parentSpan: parent, service: { name: "chat" } });
  child.setError(new NotFound("No message of ada@example.org"));
  child.finish();
  parent.finish();
  exporter.flush();
  const [second, first] = await eventually("both are taken", () => collector.spans.length === 2 && collector.spans);
  expect(first).toMatchObject({
    traceId: `00000000${requestId}`,
    id: expect.stringMatching(/^[0-9a-f]{16}$/),
    name: "POST /chat/messages",
    kind: "SERVER",
    localEndpoint: { serviceName: "parley-gateway" },
  });
  expect(first).not.toHaveProperty("parentId");
  expect(second).toMatchObject({ traceId: first!.traceId, parentId: first!.id, tags: { error: "NOT_FOUND" } });
  expect(JSON.stringify(second)).not.toContain("ada@example.org");
});

test("while the collector does not answer, a limited number of spans wait, and dropped spans are counted", async () => {
  collector.answer = () => undefined;
  finish(1);
  exporter.flush();
  await eventually("it was asked", () => collector.requestCount.times === 1);
  finish(12_000);
  expect(exporter.spanCounts).toEqual({ sent: 0, dropped: 7000, waiting: 5000 });
  exporter.flush();
  expect(collector.requestCount.times).toBe(1);
  expect(await registryOf(broker).metrics()).toContain('parley_trace_spans_total{outcome="dropped"} 7000');
});

test.each([
  ["refuses", (response: ServerResponse) => response.writeHead(503)],
  ["sends elsewhere", (response: ServerResponse) => response.writeHead(307, { location: "http://127.0.0.1:1/" })],
])("spans that a collector %s are dropped, and the next ones are sent", async (_, answer) => {
  collector.answer = (_request, response) => answer(response).end();
  finish(3);
  exporter.flush();
  await eventually("they are dropped", () => exporter.spanCounts.dropped === 3);
  collector.answer = undefined;
  finish(2);
  await eventually("they are taken", () => {
    exporter.flush();
    return exporter.spanCounts.sent === 2;
  });
  expect(collector.spans).toHaveLength(2);
});

test("spans are dropped when the answer is not HTTP or the collector is gone", async () => {
  collector.answer = ({ socket }) => void socket.end("nonsense\r\n\r\n");
  finish(3);
  exporter.flush();
  await eventually("they are dropped", () => exporter.spanCounts.dropped === 3);
  await collector.stop();
  finish(2);
  await eventually("they are dropped", () => {
    exporter.flush();
    return exporter.spanCounts.dropped === 5;
  });
});

test("stopping sends the waiting spans, and does not wait for a collector that hangs", async () => {
  finish(2);
  await exporter.stop();
  expect(collector.spans).toHaveLength(2);
  collector.answer = () => undefined;
  finish(2);
  await exporter.stop();
  expect(exporter.spanCounts).toEqual({ sent: 2, dropped: 2, waiting: 0 });
});

test.each([
  ["http://collector:9411", "http://collector:9411/api/v2/spans", undefined],
  ["http://collector:9411/", "http://collector:9411/api/v2/spans", undefined],
  ["https://traces.example.org/zipkin/api/v2/spans?key=1", "https://traces.example.org/zipkin/api/v2/spans?key=1", undefined],
  ["http://me:p%40ss@collector/zipkin", "http://collector/zipkin/api/v2/spans", `Basic ${Buffer.from("me:p@ss").toString("base64")}`],
])("TRACING_URL %s means %s", (given, url, authorization) => {
  expect(traceCollectorOf(given)).toMatchObject({ url, headers: authorization === undefined ? {} : { Authorization: authorization } });
});
