/** Tests how many lines the security log writes, and what they contain. */
import { Writable } from "node:stream";
import { expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { registryOf } from "../../../core/metrics/declare.ts";
import { securityEventNames, securityEvents } from "../../../core/security/events.ts";
import { LineBudget } from "../../../core/security/line-budget.ts";
import { accountHashOf, securityLog } from "../../../core/security/log.ts";
import { outOfDate } from "../../../scripts/generate/markdown-table.ts";
import { securityTable } from "../../../scripts/generate/security-table.ts";
import type { Received } from "../../support/people/person.ts";

/** A broker that keeps its log lines. */
function listening(): { broker: ServiceBroker; lines: () => Received[] } {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const broker = new ServiceBroker({ logger: { type: "Pino", options: { level: "info", pino: { destination } } } });
  return {
    broker,
    lines: () => lines.map((line) => JSON.parse(line) as { security?: string }).filter(({ security }) => security !== undefined),
  };
}
const client = { address: "192.0.2.7", device: "Test" };

test("a user who causes an event endlessly gets a limited number of lines, and other users still get theirs", () => {
  const budget = new LineBudget({ perKey: 10, total: 100 });
  const told = Array.from({ length: 1000 }, () => budget.consume("a")).filter(Boolean);
  expect(told).toHaveLength(10);
  expect(budget.consume("b")).toBe(true);
  expect(budget.renew()).toEqual({ count: 990, most: [{ key: "a", count: 990 }] });
  expect(budget.renew()).toBeUndefined();
  expect(budget.consume("a")).toBe(true);
});

test("any number of addresses together get a limited number of lines, and take a limited amount of memory", () => {
  const budget = new LineBudget({ perKey: 10, total: 100 });
  const told = Array.from({ length: 100_000 }, (_, i) => budget.consume(`${i}`)).filter(Boolean);
  expect(told).toHaveLength(100);
  const leftOut = budget.renew();
  expect(leftOut?.count).toBe(99_900);
  expect(leftOut?.most).toHaveLength(5);
});

test("the lines that were left out are summarised when the node stops", async () => {
  const { broker, lines } = listening();
  await broker.start();
  for (let i = 0; i < 25; i++) securityLog(broker).record("access_denied", { client }, { request: "GET /chat/members/:chatId" });
  await broker.stop();
  expect(lines().filter(({ request }) => request !== undefined)).toHaveLength(10);
  expect(await registryOf(broker).metrics()).toContain('parley_security_events_total{event="access_denied"} 25');
  expect(lines().at(-1)).toMatchObject({ security: "access_denied", leftOut: 15, most: [{ key: "192.0.2.7", count: 15 }] });
});

test("a client's name cannot end a line or control a terminal", async () => {
  const { broker, lines } = listening();
  const device = 'Evil\r\n{"security":"logged_in"}\u001b[2J\u009b2J\u202e\u2028';
  securityLog(broker).record("logged_in", { userId: "65f0c0ffee65f0c0ffee65f0", client: { address: "192.0.2.7", device } });
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toMatchObject({ security: "logged_in", device: 'Evil??{"security":"logged_in"}?[2J?2J??' });
  await broker.stop();
});

test("only someone with the secret can see from hashes whether two addresses are the same", () => {
  expect(accountHashOf("ada@example.org", "a")).toBe(accountHashOf("ada@example.org", "a"));
  expect(accountHashOf("ada@example.org", "a")).not.toBe(accountHashOf("ben@example.org", "a"));
  expect(accountHashOf("ada@example.org", "a")).not.toBe(accountHashOf("ada@example.org", "b"));
  expect(accountHashOf("ada@example.org", "a")).toMatch(/^[0-9a-f]{16}$/);
});

test("the page's table is up to date", async () => {
  expect(await outOfDate(securityTable)).toBeUndefined();
});

test("every event has a text, a meaning, and a bound", () => {
  for (const name of securityEventNames) {
    const { message, means, lineLimits } = securityEvents[name];
    expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(message && means).toBeTruthy();
    expect(lineLimits.perKey).toBeLessThanOrEqual(lineLimits.total);
  }
});
