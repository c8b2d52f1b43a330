/** Helpers of the queue's tests: they open queues that close after each test, and publish, handle, list and replay events. */
import { afterEach, describe, expect } from "@jest/globals";
import type { DeadLetter, DurableEvent, Queue } from "../../../core/queue/queue.ts";
import { eventually } from "../eventually.ts";
import { describeWith } from "../systems/describe-with.ts";
import { event, localTestQueues, rabbitTestQueues, type LocalTestQueues, type RabbitTestQueues, type TestQueues } from "./queues.ts";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
/** Runs this after the test, in reverse order. */
export const afterTest = (cleanUp: () => Promise<unknown>): void => void cleanUps.push(cleanUp);

export async function localQueues(): Promise<LocalTestQueues> {
  const queues = await localTestQueues();
  afterTest(queues.cleanUp);
  return queues;
}
export function rabbitQueues(): RabbitTestQueues {
  const queues = rabbitTestQueues();
  afterTest(queues.cleanUp);
  return queues;
}

/** Describes tests that run on every adapter. */
export function describeQueues(tests: (makeQueues: () => TestQueues | Promise<TestQueues>) => void): void {
  describe("The queue in process", () => tests(localQueues));
  describeWith(["amqp"], "The queue on RabbitMQ", () => tests(rabbitQueues));
}

export const failing = (): Promise<void> => Promise.reject(new Error("on purpose"));
export const numbered = (count: number, topic = "user.created"): DurableEvent[] =>
  Array.from({ length: count }, (_, index) => event(topic, index));
export const revs = (events: readonly DurableEvent[]): number[] => events.map(({ rev }) => rev).sort((a, b) => a - b);
export const publishAll = (queue: Queue, events: readonly DurableEvent[]) => Promise.all(events.map((each) => queue.publish(each)));

/** Consumes the group. @returns the events that it has handled, which grows */
export async function handled(queue: Queue, group: string, concurrency?: number): Promise<DurableEvent[]> {
  const events: DurableEvent[] = [];
  const handle = (each: DurableEvent): Promise<void> => Promise.resolve(void events.push(each));
  await queue.consume(group, handle, concurrency === undefined ? {} : { concurrency });
  return events;
}
/** Replays until `count` dead letters were delivered again, which may need several calls. */
export async function replay(queue: Queue, count: number, ...which: Parameters<Queue["replay"]>): Promise<void> {
  let replayed = 0;
  await eventually(`${count} are replayed`, async () => (replayed += await queue.replay(...which)) >= count);
  expect(replayed).toBe(count);
}
/** Waits until the group has exactly `count` dead letters. */
export async function dead(queue: Queue, group: string, count: number): Promise<DeadLetter[]> {
  let letters: DeadLetter[] = [];
  const areThere = async () => (letters = await queue.deadLetters(group, 200)).length === count;
  await eventually(`${count} dead letters of ${group}`, areThere).catch((error: unknown) => {
    throw new Error(`${group} has ${letters.length} dead letters, not ${count}: ${JSON.stringify(letters)}`, { cause: error });
  });
  return letters;
}
