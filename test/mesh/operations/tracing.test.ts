/** Tracing of requests through a mesh: one trace from the gateway to the followers of events, and one request id in logs and errors. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTraceCollector, type CollectedSpan, type TestTraceCollector } from "../../support/infrastructure/trace-collector.ts";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { factory, type Factory } from "../../support/people/factory.ts";
import { startMesh, type TestMesh } from "../../support/mesh/mesh.ts";

const secretText = "Meet me at the harbour 4711";

describeMesh("A traced mesh", () => {
  let collector: TestTraceCollector;
  let mesh: TestMesh;
  let made: Factory;

  beforeAll(async () => {
    collector = await startTraceCollector();
    mesh = await startMesh({ env: { TRACING_URL: collector.url, TRACING_SAMPLE: "1", LOG_LEVEL: "debug" } });
    made = factory(() => mesh.gateways);
  });
  afterAll(async () => {
    made.disconnectAll();
    await mesh.stop();
    await collector.stop();
  });

  const traceOf = (requestId: string): CollectedSpan[] => collector.spans.filter(({ traceId }) => traceId.endsWith(requestId));
  const rootOf = (spans: readonly CollectedSpan[]): CollectedSpan | undefined => spans.find(({ parentId }) => parentId === undefined);
  const spanNamed = (requestId: string, name: string) => traceOf(requestId).find((span) => span.name === name);
  const linesOf = (role: string, requestId: string): string[] =>
    mesh
      .node(role)
      .log()
      .split("\n")
      .filter((line) => line.includes(`"requestId":"${requestId}"`));

  test("records a message over HTTP as one trace, from the gateway to the chat node", async () => {
    const { a, chatId } = await made.pair();
    const sent = await a.post("/chat/messages", { chatId, text: secretText });
    expect(sent.status).toBe(201);
    const requestId = sent.headers.get("x-request-id")!;
    const send = await eventually("the chat node's span is there", () => spanNamed(requestId, "chat.send"));
    const root = await eventually("the gateway's span is there", () => rootOf(traceOf(requestId)));
    expect(root).toMatchObject({
      name: "POST /chat/messages",
      localEndpoint: { serviceName: "parley-gateway" },
      tags: { "http.status_code": "201" },
    });
    expect(send).toMatchObject({ parentId: root.id, traceId: root.traceId, localEndpoint: { serviceName: "parley-chat" } });
    expect(send.tags["node"]).not.toBe(root.tags["node"]);
  });

  test("records a message over a socket as one trace, and a durable event in the trace of the request that announced it", async () => {
    const { a, b, chatId } = await made.pair();
    const socket = await a.connect();
    await socket.callOrThrow("sendMessage", { chatId, text: secretText });
    const root = await eventually("the socket's span is recorded", () =>
      collector.spans.findLast(({ name }) => name === "socket sendMessage"),
    );
    await eventually("the chat node's span is recorded", () =>
      collector.spans.some(({ name, parentId, traceId }) => name === "chat.send" && parentId === root.id && traceId === root.traceId),
    );
    const ended = await a.delete(`/request/connections/${b.id}`);
    const requestId = ended.headers.get("x-request-id")!;
    const event = await eventually("chat's span of the event is recorded", () =>
      traceOf(requestId).find(({ kind }) => kind === "CONSUMER"),
    );
    expect(event.localEndpoint.serviceName).toBe("parley-chat");
    const announced = await eventually("its parent span is recorded", () => traceOf(requestId).find(({ id }) => id === event.parentId));
    expect(announced.localEndpoint.serviceName).toBe("parley-request");
  });

  test("returns the request id and trace id of the log lines with an error", async () => {
    const [outsider, { chatId }] = await Promise.all([made.person(), made.pair()]);
    const refused = await outsider.get(`/chat/messages/${chatId}`);
    expect(refused.body).toMatchObject({ code: "FORBIDDEN", requestId: refused.headers.get("x-request-id") });
    expect(refused.body.traceId).toBe(`00000000${refused.body.requestId}`);
    await eventually("the gateway has logged the request", () =>
      ["gatewayA", "gatewayB"].some((role) => linesOf(role, refused.body.requestId).length > 0),
    );
    const ack = await (await outsider.connect()).call("joinChat", { chatId });
    expect(ack).toMatchObject({ ok: false, error: { code: "FORBIDDEN", requestId: expect.stringMatching(/^[0-9a-f]{24}$/) } });
  });

  test("puts no message text, email address, token or password into spans", async () => {
    const person = await made.person();
    await person.post("/auth/login", { emailId: person.emailId, password: "Wrong-Horse-1" });
    await person.get(`/auth/getUserByEmail?emailId=${encodeURIComponent(person.emailId)}`);
    await eventually("the spans are recorded", () => collector.spans.some(({ name }) => name === "auth.userByEmail"));
    const all = JSON.stringify(collector.spans);
    for (const hidden of [secretText, person.emailId, person.token, "Correct-Horse-7", "Wrong-Horse-1"]) expect(all).not.toContain(hidden);
  });

  test("ignores request and trace ids that a client sends", async () => {
    const forged = "aaaaaaaaaaaaaaaaaaaaaaaa";
    const headers = {
      "x-request-id": forged,
      "x-b3-traceid": `00000000${forged}`,
      "x-b3-sampled": "1",
      traceparent: `00-00000000${forged}-aaaaaaaaaaaaaaaa-01`,
    };
    const answer = await fetch(`${mesh.gateways[0]}/auth/me`, { headers });
    await answer.body?.cancel();
    const requestId = answer.headers.get("x-request-id")!;
    expect(requestId).not.toBe(forged);
    await eventually("the request has a trace of its own", () => rootOf(traceOf(requestId)));
    expect(traceOf(forged)).toEqual([]);
  });
});
