/** Connections of an embedded gateway: pages of other origins, other protocols, and junk behind a request. */
import { once } from "node:events";
import { connect as dial } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "../../../support/eventually.ts";
import { freshEmail } from "../../../support/people/factory.ts";
import { startEmbedded, type EmbeddedServer } from "../../../support/servers/server.ts";

const page = "http://app.example.org";
let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbedded({ env: { CORS_ORIGINS: page } });
});
afterAll(() => server.stop());

/** Writes these bytes to the server, and reads until it closes. */
function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = dial(Number(port), hostname, () => socket.write(bytes));
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.once("close", () => resolve(answer));
    socket.once("error", reject);
  });
}

test("a page of an allowed origin may use polling and gets CORS headers; other origins get none", async () => {
  const polling = `${server.url}/chat/socket.io/?EIO=4&transport=polling`;
  const allowed = await fetch(polling, { headers: { origin: page } });
  expect(allowed.status).toBe(200);
  expect(allowed.headers.get("access-control-allow-origin")).toBe(page);
  expect(allowed.headers.get("access-control-allow-credentials")).toBe("true");
  expect(allowed.headers.get("x-content-type-options")).toBe("nosniff");
  const preflight = await fetch(polling, { method: "OPTIONS", headers: { origin: page, "access-control-request-method": "POST" } });
  expect(preflight.status).toBe(204);
  expect((await fetch(polling, { headers: { origin: "http://evil.example.org" } })).headers.get("access-control-allow-origin")).toBeNull();
});

test("an offer to upgrade to another protocol is answered with HTTP/1.1", async () => {
  const answer = await exchange(
    "GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

test("a connection that was idle for a while is served", async () => {
  const { hostname, port } = new URL(server.url);
  const socket = dial(Number(port), hostname);
  let answers = "";
  socket.on("data", (chunk) => (answers += chunk.toString()));
  const ask = (more = "") => socket.write(`GET /health HTTP/1.1\r\nHost: a\r\n${more}\r\n`);
  ask();
  await eventually("the first answer", () => answers.includes("200 OK"));
  // Node would close it after 5 s, and a proxy that uses it just then answers its client with 502.
  await sleep(7000);
  answers = "";
  ask("Connection: close\r\n");
  await once(socket, "close");
  expect(answers).toMatch(/^HTTP\/1\.1 200 /);
});

test("junk after a request does not replace its answer", async () => {
  const body = JSON.stringify({ firstName: "Ada", lastName: "Example", emailId: freshEmail(), password: "Correct-Horse-7" });
  const head = `POST /auth/signup HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const answer = await exchange(`${head}${body}JUNK\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 201 /);
  expect(answer).not.toContain("400 Bad Request");
});
