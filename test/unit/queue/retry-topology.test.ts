/** How long a failed durable event waits, and which waiting queues that makes. */
import { expect, test } from "@jest/globals";
import { retryDelayMs } from "../../../core/queue/queue.ts";
import { retryDelays } from "../../../core/queue/rabbit-topology.ts";

const retry = { firstDelayMs: 1000, attempts: 10 };

test("each delay is twice the previous one, at most a minute", () => {
  expect([1, 2, 3, 6, 7, 100].map((attempt) => retryDelayMs(retry, attempt))).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000]);
});

test("there is one waiting queue per delay, and none without retries", () => {
  expect(retryDelays(retry)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]);
  expect(retryDelays({ firstDelayMs: 50, attempts: 1 })).toEqual([]);
});
