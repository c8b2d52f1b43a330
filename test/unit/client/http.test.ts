/** Tests which HTTP requests are retried, how often, and which errors they throw. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { HttpClient } from "../../../client/http/http-client.ts";

const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

/** Starts a server that gives these answers in order, and then repeats the last one. */
async function answering(...answers: ((response: ServerResponse) => void)[]) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answers[Math.min(asked.length, answers.length) - 1]!(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => (server.closeAllConnections(), server.close()));
  return { asked, http: new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, "token") };
}
const json =
  (status: number, body: object, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const tooMany = json(429, { code: "RATE_LIMITED", message: "Too many requests" });
const away = json(503, { code: "UNAVAILABLE", message: "Later" });
const fine = json(200, { fine: true });
const cut = (response: ServerResponse) => void response.destroy();

test("a rate-limited request is retried, whatever its method", async () => {
  const { asked, http } = await answering(tooMany, tooMany, fine);
  expect(await http.request("POST", "/x", { body: { a: 1 } })).toEqual({ fine: true });
  expect(asked).toHaveLength(3);
  expect(asked[0]!.headers).toMatchObject({ authorization: "Bearer token", "content-type": "application/json" });
});

test("a request is tried only five times, and not if the wait is long", async () => {
  const forever = await answering(tooMany);
  await expect(forever.http.request("GET", "/x")).rejects.toMatchObject({ code: "RATE_LIMITED", status: 429 });
  expect(forever.asked).toHaveLength(5);
  const long = await answering(json(429, { code: "RATE_LIMITED", message: "Too many" }, { "retry-after": "900" }));
  await expect(long.http.request("GET", "/x")).rejects.toMatchObject({ retryAfterMs: 900_000 });
  expect(long.asked).toHaveLength(1);
});

test.each([
  ["an UNAVAILABLE answer", away, "UNAVAILABLE"],
  ["no answer", cut, "OFFLINE"],
])("after %s, only repeatable requests are retried", async (_what, answer, code) => {
  const once = await answering(answer, fine);
  await expect(once.http.request("POST", "/x")).rejects.toMatchObject({ code });
  expect(once.asked).toHaveLength(1);
  for (const [method, isRepeatable] of [
    ["GET", undefined],
    ["POST", true],
  ] as const) {
    const { asked, http } = await answering(answer, fine);
    expect(await http.request(method, "/x", isRepeatable === undefined ? {} : { isRepeatable })).toEqual({ fine: true });
    expect(asked).toHaveLength(2);
  }
});

test("a proxy's error page becomes an error with a code", async () => {
  const page = (status: number) => (response: ServerResponse) => void response.writeHead(status).end("<html>Bad gateway</html>");
  for (const [status, code] of [
    [502, "UNAVAILABLE"],
    [413, "TOO_LARGE"],
    [418, "INTERNAL"],
  ] as const) {
    const { http } = await answering(page(status));
    await expect(http.request("POST", "/x")).rejects.toMatchObject({ name: "ParleyError", code });
  }
});

test("a list is fetched to its end", async () => {
  const { asked, http } = await answering(
    json(200, { data: [1, 2] }, { link: '</x?before=2&limit=200>; rel="next"' }),
    json(200, { data: [3] }),
  );
  expect(await http.list("/x")).toEqual([1, 2, 3]);
  expect(asked.map(({ url }) => url)).toEqual(["/x?limit=200", "/x?before=2&limit=200"]);
});
