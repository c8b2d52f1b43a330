/** Tests stall-aware timeouts: they fire in time, and not earlier because this process was paused. */
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { startTimeout } from "../../../core/resilience/timeout.ts";

const standStill = (ms: number) => {
  for (const until = performance.now() + ms; performance.now() < until;);
};

/** @returns whichever is first: the answer, or the timeout */
async function first(withinMs: number, answer: Promise<string>, meanwhile = () => undefined as unknown): Promise<string> {
  const late = Promise.withResolvers<string>();
  const hasCome = startTimeout(withinMs, () => late.resolve("given up"));
  meanwhile();
  return Promise.race([answer, late.promise]).finally(hasCome);
}

test("work that does not end in time is given up", async () => {
  for (const withinMs of [1, 50, 250]) {
    const began = performance.now();
    expect(await first(withinMs, new Promise(() => undefined))).toBe("given up");
    expect(performance.now() - began).toBeGreaterThanOrEqual(withinMs - 1);
  }
});

test("work that ends in time is not given up", async () => {
  let hasGivenUp = false;
  const hasCome = startTimeout(20, () => (hasGivenUp = true));
  hasCome();
  await pause(60);
  expect(hasGivenUp).toBe(false);
});

test("a call that was paused together with its caller still has its time to answer", async () => {
  const answer = Promise.withResolvers<string>();
  const peer = () => {
    standStill(500);
    setTimeout(() => answer.resolve("in time"), 50);
  };
  expect(await first(400, answer.promise, peer)).toBe("in time");
});
