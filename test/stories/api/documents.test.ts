/** Checks the API's documents against the running server: the answers and errors of every route and event. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { readAnswers } from "../../../services/gateway/docs/answers.ts";
import { asyncApi } from "../../../services/gateway/docs/asyncapi.ts";
import type { OpenApiOperation } from "../../../services/gateway/docs/fixed-paths.ts";
import { openApi } from "../../../services/gateway/docs/openapi.ts";
import { routes } from "../../../services/gateway/http/routes/index.ts";
import { serverEvents } from "../../../services/gateway/socket/server-events.ts";
import { clientEvents } from "../../../services/gateway/socket/client-events.ts";
import { eventTriggers, clientEventExamples, eventExampleContext, type EventExampleContext } from "../../support/api/event-examples.ts";
import {
  formOf,
  otherSettings,
  unproducible,
  routeExamples,
  routeExamplesWithOtherSettings,
  type RouteExampleContext,
} from "../../support/api/route-examples.ts";
import { DocumentedHttp, DocumentedSockets, type DocumentedRequest } from "../../support/api/documented.ts";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { requestJson, type ApiResponse, type Person } from "../../support/people/person.ts";
import { startEmbedded } from "../../support/servers/server.ts";
import { story } from "../../support/systems/story.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const httpDocument = openApi(routes, readAnswers(), version);
const socketDocument = asyncApi(clientEvents, serverEvents, readAnswers(), version);
const http = new DocumentedHttp(httpDocument);
const sockets = new DocumentedSockets(socketDocument);

/** A body that is too large for every route. */
const tooMuch = "x".repeat(8 * 1024 * 1024);

story("The API's documents", (world) => {
  let someone: Person;
  let url: string;
  /** Created first, for events that come only from time to time. */
  let early: EventExampleContext;

  beforeAll(async () => {
    url = world.gateways()[0];
    someone = await world.person();
    early = await eventExampleContext(world);
  });

  test("are served by every gateway as they are generated here", async () => {
    for (const gateway of world.gateways()) {
      expect((await requestJson(gateway, "GET", "/openapi.json")).body).toEqual(JSON.parse(JSON.stringify(httpDocument)));
      expect((await requestJson(gateway, "GET", "/asyncapi.json")).body).toEqual(JSON.parse(JSON.stringify(socketDocument)));
    }
  });

  test("arrive complete when the request has a body and closes the connection", async () => {
    const body = "x".repeat(300_000);
    const headers = { connection: "close", "content-length": String(body.length) };
    const page = await new Promise<string>((resolve, reject) => {
      const sent = request(`${url}/docs`, { agent: false, headers }, (answer) => void text(answer).then(resolve, reject));
      sent.on("error", reject);
      sent.end(body);
    });
    expect(page).toMatch(/<\/html>\s*$/);
  });

  test("are cached by browsers but revalidated, and the page loads only its own style, script and images", async () => {
    for (const path of ["/openapi.json", "/asyncapi.json", "/docs", "/docs/style.css", "/docs/page.js", "/docs/icon.svg"]) {
      const { status, headers } = await requestJson(url, "GET", path);
      expect({ status, caching: headers.get("cache-control"), etag: headers.get("etag") }).toEqual({
        status: 200,
        caching: "public, no-cache",
        etag: expect.stringMatching(/^".{22}"$/),
      });
    }
    const policy = (await requestJson(url, "GET", "/docs")).headers.get("content-security-policy");
    expect(policy).toMatch(/^default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';/);
    expect(policy).not.toContain("unsafe");
  });

  test("have an example for each operation, and each example has its operation", () => {
    expect(Object.keys(routeExamples).sort()).toEqual([...http.operations.keys()].sort());
  });

  test.each([...http.operations])("list all answers of %s, and no others", async (name, operation) => {
    const probe = (who: Person | undefined, request: DocumentedRequest) => http.ask(url, name, who, request);
    const asking = expecting(probe);
    const may = (status: number) => operation.responses[status] !== undefined;
    const isOpen = operation.security.length === 0 || operation.security.some((one) => Object.keys(one).length === 0);
    if (!isOpen) await asking(undefined, 401);
    if (may(400)) await asking(someone, 400, unknownInput(name, operation));
    if (may(403) && !name.startsWith("GET")) await asking(someone, 403, { headers: { origin: "https://evil.example" } });
    if (may(413)) await asking(someone, 413, { body: tooMuch });
    if (may(415)) await asking(someone, 415, { body: "hello", headers: { "content-type": "text/plain" } });
    await routeExamples[name]!({ world, ask: asking });
    expect(http.unseen(name).filter((status) => unproducible(name, status) === undefined)).toEqual([]);
  });

  test("have an example for each event that clients send, and a trigger for each that the server sends", () => {
    expect(Object.keys(clientEventExamples).sort()).toEqual([...sockets.clientEvents].sort());
    expect(Object.keys(eventTriggers).sort()).toEqual([...sockets.serverEvents].sort());
  });

  describe("over sockets", () => {
    test.each(sockets.clientEvents)("%s is acknowledged as documented", async (event) => {
      const { accepted, refused } = clientEventExamples[event]!;
      const stage = await eventExampleContext(world);
      const line = await stage.a.connect();
      const [refusedPayload, code] = refused(stage);
      for (const [payload, expected] of [
        [accepted(stage), { ok: true }],
        [refusedPayload, { ok: false, error: { code } }],
        [{ surprise: 1 }, { ok: false, error: { code: "VALIDATION" } }],
      ] as const) {
        const ack = await line.call(event, payload);
        sockets.acknowledged(event, payload, ack);
        expect(ack).toMatchObject(expected);
      }
    });

    test.each(sockets.serverEvents)("%s arrives as documented", async (event) => {
      const fresh = event === "positions" ? early : await eventExampleContext(world);
      const line = await eventTriggers[event]!(fresh);
      await line.waitFor(event, () => true, 60_000);
      for (const received of [fresh.socketA, fresh.socketB, line].flatMap((socket) => socket.received)) {
        if (received.event !== "disconnect") sockets.received(received.event, received.data);
      }
    });
  });

  // These tests start their own servers with other settings, so they need not run on the mesh.
  if (globalThis.parleyWorld === "mesh") return;

  test("list 429 for every route that has a limit", async () => {
    const server = await startEmbedded({ env: { LIMITS: "on" } });
    try {
      for (const [name, { responses }] of http.operations) {
        if (responses[429] === undefined) continue;
        const refused = await eventually(`${name} is refused`, async () => {
          const answers = await Promise.all(Array.from({ length: 40 }, () => http.ask(server.url, name, undefined, {})));
          return answers.find(({ status }) => status === 429);
        });
        expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      }
    } finally {
      await server.stop();
    }
  });

  test("list the answers that other settings cause", async () => {
    const server = await startEmbedded({ env: otherSettings });
    const people = factory(() => [server.url]);
    try {
      for (const [name, walk] of Object.entries(routeExamplesWithOtherSettings)) {
        await walk({ world: people, ask: expecting((who, request) => http.ask(server.url, name, who, request)) });
      }
    } finally {
      people.disconnectAll();
      await server.stop();
    }
  });
});

/** An unknown field, where the route reads its fields. */
function unknownInput(name: string, { requestBody }: OpenApiOperation): DocumentedRequest {
  if (/^(GET|DELETE)/.test(name)) return { query: "?surprise=1" };
  const takesJson = requestBody === undefined || "application/json" in (requestBody["content"] as object);
  return { body: takesJson ? { surprise: 1 } : formOf({ surprise: "1", file: new Blob(["bytes"]) }) };
}

/** Sends the request, and expects a status. */
const expecting =
  (probe: (who: Person | undefined, request: DocumentedRequest) => Promise<ApiResponse>): RouteExampleContext["ask"] =>
  async (who, status, request = {}) => {
    const answer = await probe(who, request);
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status });
    return answer;
  };
