/** Limits of the gateway over HTTP, its routes for operators, and the start and stop of its server. */
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { StartError } from "../../../../core/errors.ts";
import { listen } from "../../../../services/gateway/http/server.ts";
import { eventually } from "../../../support/eventually.ts";
import {
  anyone,
  baseOf,
  newAddress,
  portOf,
  type RawResponse,
  serverOf,
  stubbedGateway,
  tokenIn,
} from "../../../support/gateway/stubbed-gateway.ts";

const gateway = stubbedGateway();
const { answers, ask, base, broker, signedUp, startBroker } = gateway;
beforeAll(() => gateway.start());
afterAll(() => gateway.stop());

describe("limits", () => {
  const many = (count: number, once: () => Promise<RawResponse>) => Promise.all(Array.from({ length: count }, once));
  const withStatus = (responses: readonly RawResponse[], wanted: number) => responses.filter(({ status }) => status === wanted);
  /** At once, and at most how many of them may pass: 10 in each second that they touch, and 20 more in 10 s. */
  async function sixty(once: () => Promise<RawResponse>): Promise<{ responses: RawResponse[]; most: number }> {
    const began = performance.now();
    const responses = await many(60, once);
    const seconds = (performance.now() - began) / 1000;
    return { responses, most: 10 * (Math.ceil(seconds) + 1) + 20 * Math.ceil(seconds / 10) };
  }
  /** Tries again, as another, when they took so long that all might pass. */
  async function crowd<T extends { readonly most: number }>(attempt: () => Promise<T>): Promise<T> {
    const made = await attempt();
    return made.most < 60 ? made : crowd(attempt);
  }
  test("count a user's requests, from any address", async () => {
    const other = await signedUp();
    answers["myChats"] = () => ({ chats: [] });
    const { responses, most } = await crowd(async () => {
      const { token } = await signedUp();
      return sixty(() => ask("GET", "/chat/my-chats", { token }));
    });
    expect(withStatus(responses, 200).length).toBeLessThanOrEqual(most);
    const refused = withStatus(responses, 429);
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
    expect(withStatus(bad.responses, 401).length).toBeLessThanOrEqual(bad.most);
    expect(withStatus(bad.responses, 429).length).toBeGreaterThanOrEqual(60 - bad.most);
    expect(withStatus(tooLarge.responses, 429).length).toBeGreaterThanOrEqual(60 - tooLarge.most);
    const { token } = await signedUp();
    expect((await ask("GET", "/auth/me", { token, from })).status).toBe(200);
  });
  test("count log-ins by address and account, however the account is written", async () => {
    const { emailId } = await signedUp();
    const from = newAddress();
    const wrong = (as: string, at = from) => ask("POST", "/auth/login", { body: { emailId: as, password: "Wrong-horse-7" }, from: at });
    const responses = await many(16, () => wrong(emailId));
    expect([withStatus(responses, 401).length, withStatus(responses, 429).length]).toEqual([15, 1]);
    await eventually("the address may log in again", async () => (await wrong("someone.else@example.org")).status === 401);
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
    const local = await fetch(`${base()}/metrics`);
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
    const port = portOf(broker());
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
    await eventually("the server accepts no more connections", () => !serverOf(other).listening);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    released.resolve(undefined);
    expect((await slow).status).toBe(200);
    await stopped;
  });
});
