/** Giving up on what does not come: in time, and not sooner because this process stood still. */
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { startTimeout } from "../../../core/resilience/timeout.ts";

const standStill = (ms: number) => {
  for (const until = performance.now() + ms; performance.now() < until;);
};

/** @returns what came first: the answer, or that it was given up */
async function first(withinMs: number, answer: Promise<string>, meanwhile = () => undefined as unknown): Promise<string> {
  const late = Promise.withResolvers<string>();
  const hasCome = startTimeout(withinMs, () => late.resolve("given up"));
  meanwhile();
  return Promise.race([answer, late.promise]).finally(hasCome);
}

test("what does not come is given up", async () => {
  for (const withinMs of [1, 50, 250]) {
    const began = performance.now();
    expect(await first(withinMs, new Promise(() => undefined))).toBe("given up");
    expect(performance.now() - began).toBeGreaterThanOrEqual(withinMs - 1);
  }
});

test("what comes is not", async () => {
  let hasGivenUp = false;
  const hasCome = startTimeout(20, () => (hasGivenUp = true));
  hasCome();
  await pause(60);
  expect(hasGivenUp).toBe(false);
});

test("whoever stood still as well has its time to answer", async () => {
  const answer = Promise.withResolvers<string>();
  const peer = () => {
    standStill(500);
    setTimeout(() => answer.resolve("in time"), 50);
  };
  expect(await first(400, answer.promise, peer)).toBe("in time");
});
