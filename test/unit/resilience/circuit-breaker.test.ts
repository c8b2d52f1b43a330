/** Tests when the circuit breaker opens, which calls pass, and how it closes again. */
import { afterEach, expect, test } from "@jest/globals";
import { circuitBreaker, type Breaker, type BreakerState } from "../../../core/resilience/circuit-breaker.ts";
import { eventually, within } from "../../support/eventually.ts";

let breaker: Breaker;
let changes: string[];
let probes: number;
let works: boolean;
let calls: number;

function start(halfOpenMs = 20): void {
  [changes, probes, calls, works] = [[], 0, 0, true];
  breaker = circuitBreaker({
    timeoutMs: 50,
    failures: 3,
    halfOpenMs,
    probe: () => (probes++, works ? Promise.resolve() : Promise.reject(new Error("still broken"))),
    onChange: (now, before) => changes.push(`${before} > ${now}`),
  });
}
afterEach(() => breaker.stop());

const call = () => breaker.run(() => (calls++, works ? Promise.resolve("answer") : Promise.reject(new Error("broken"))));
const fails = (times: number) => Promise.allSettled(Array.from({ length: times }, call));
const becomes = (state: BreakerState) => eventually(`the breaker is ${state}`, () => breaker.state() === state);

test("the caller gets what the call returns or throws", async () => {
  start();
  expect(await call()).toBe("answer");
  works = false;
  await expect(call()).rejects.toThrow("broken");
  expect(breaker.state()).toBe("closed");
});

test("it opens after three failures in a row, and then calls nothing", async () => {
  start(60_000);
  works = false;
  await fails(3);
  expect(breaker.state()).toBe("open");
  await expect(call()).rejects.toThrow("the circuit breaker is open");
  expect(calls).toBe(3);
});

test("a success between failures resets the count", async () => {
  start();
  works = false;
  await fails(2);
  works = true;
  await call();
  works = false;
  await fails(2);
  expect(breaker.state()).toBe("closed");
});

test("a single call that times out opens it", async () => {
  start(60_000);
  const refused = expect(breaker.run(() => new Promise(() => undefined))).rejects.toThrow("no answer within 50 ms");
  await within(1000, "the call is given up", refused);
  expect(breaker.state()).toBe("open");
});

test("a probe that succeeds closes it, and calls go through again", async () => {
  start();
  works = false;
  await fails(3);
  works = true;
  await becomes("closed");
  expect(changes).toEqual(["closed > open", "open > half-open", "half-open > closed"]);
  expect(probes).toBe(1);
  expect(await call()).toBe("answer");
});

test("a failed probe opens it again, and delays the next probe", async () => {
  start();
  works = false;
  await fails(3);
  await eventually("it probed twice", () => probes >= 2);
  expect(changes.slice(0, 4)).toEqual(["closed > open", "open > half-open", "half-open > open", "open > half-open"]);
});

test("while it is half open, only the probe is in progress", async () => {
  const probed = Promise.withResolvers<undefined>();
  breaker = circuitBreaker({ timeoutMs: 50, failures: 1, halfOpenMs: 1, probe: () => probed.promise, onChange: () => undefined });
  await breaker.run(() => Promise.reject(new Error("broken"))).catch(() => undefined);
  await becomes("half-open");
  await expect(breaker.run(() => Promise.resolve("let through"))).rejects.toThrow("the circuit breaker is open");
  probed.resolve(undefined);
  await becomes("closed");
});

test("an answer that arrived while this process was busy counts as in time", async () => {
  start();
  const answer = breaker.run(() => new Promise((resolve) => setTimeout(resolve, 40, "in time")));
  const busyUntil = performance.now() + 100;
  while (performance.now() < busyUntil);
  expect(await answer).toBe("in time");
  expect(breaker.state()).toBe("closed");
});

test("a stopped breaker does not probe", async () => {
  start(5);
  works = false;
  const stopped = breaker;
  await fails(3);
  stopped.stop();
  const probedBefore = probes;
  const later = circuitBreaker({ timeoutMs: 50, failures: 1, halfOpenMs: 20, probe: () => Promise.resolve(), onChange: () => undefined });
  await later.run(() => Promise.reject(new Error("broken"))).catch(() => undefined);
  await eventually("one that opened later has probed", () => later.state() === "closed");
  expect(stopped.state()).toBe("open");
  expect(probes).toBe(probedBefore);
});
