/** Tests that the fair queue limits concurrent tasks, shares them fairly between users, and leaves the thread time for other work. */
import { setImmediate as aTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { processRegistry } from "../../../core/metrics/declare.ts";
import { fairQueue } from "../../../core/resilience/fair-queue.ts";

const held = () => Promise.withResolvers<undefined>();
const work = (began: string[], name: string, until: Promise<unknown>) => () => {
  began.push(name);
  return until;
};
test("tasks run in the order they were added, as many at a time as allowed", async () => {
  const { run: take } = fairQueue({ name: "test", concurrency: 2, maxQueued: 10, maxWaitMs: 60_000 });
  const began: string[] = [];
  const [first, second] = [held(), held()];
  const all = [
    take("Ada", work(began, "first", first.promise)),
    take("Ben", work(began, "second", second.promise)),
    take("Cleo", work(began, "third", Promise.resolve())),
    take("Dan", work(began, "fourth", Promise.resolve())),
  ];
  for (let turn = 0; turn < 4; turn++) await aTurn();
  expect(began).toEqual(["first", "second"]);
  second.resolve(undefined);
  await Promise.all(all.slice(1));
  expect(began).toEqual(["first", "second", "third", "fourth"]);
  first.resolve(undefined);
  await all[0];
});
test("a user with many tasks waits behind a user with few", async () => {
  const { run: take } = fairQueue({ name: "test", concurrency: 2, maxQueued: 10, maxWaitMs: 60_000 });
  const began: string[] = [];
  const gates = [held(), held()];
  const ask = (who: string, name: string, until: Promise<unknown>) => take(who, work(began, name, until));
  const all = gates.map(({ promise }, i) => ask("Ada", `Ada ${i}`, promise));
  await aTurn();
  await aTurn();
  for (const i of [2, 3]) all.push(ask("Ada", `Ada ${i}`, Promise.resolve()));
  all.push(ask("Ben", "Ben", Promise.resolve()));
  gates[0]!.resolve(undefined);
  await all[4];
  expect(began.slice(0, 3)).toEqual(["Ada 0", "Ada 1", "Ben"]);
  gates[1]!.resolve(undefined);
  await Promise.all(all);
  expect(began.slice(3)).toEqual(["Ada 2", "Ada 3"]);
});
test("a failed task frees its place", async () => {
  const { run: take } = fairQueue({ name: "test", concurrency: 1, maxQueued: 1, maxWaitMs: 60_000 });
  await expect(take("Ada", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(await take("Ada", () => Promise.resolve("done"))).toBe("done");
});
test("a task that throws before it returns a promise frees its place, too", async () => {
  const { run: take } = fairQueue({ name: "test", concurrency: 1, maxQueued: 1, maxWaitMs: 60_000 });
  const failing = (): Promise<unknown> => {
    throw new Error("broken");
  };
  await expect(take("Ada", failing)).rejects.toThrow("broken");
  expect(await take("Ada", () => Promise.resolve("done"))).toBe("done");
});
test("tasks are refused when too many wait, or when they have waited too long", async () => {
  const { run: take } = fairQueue({ name: "test", concurrency: 1, maxQueued: 1, maxWaitMs: -1 });
  const first = held();
  const { run: patient } = fairQueue({ name: "test", concurrency: 1, maxQueued: 1, maxWaitMs: 60_000 });
  const working = patient("Ada", () => first.promise);
  const waiting = patient("Ada", () => Promise.resolve("second"));
  await expect(patient("Ada", () => Promise.resolve())).rejects.toMatchObject({ type: "UNAVAILABLE" });
  first.resolve(undefined);
  await working;
  expect(await waiting).toBe("second");
  await expect(take("Ada", () => Promise.resolve())).rejects.toMatchObject({ type: "UNAVAILABLE" });
});
test("other work of the process runs between tasks that never wait for I/O", async () => {
  const { run: take } = fairQueue({ name: "test", concurrency: 100, maxQueued: 100, maxWaitMs: 60_000 });
  let done = 0;
  const all = Array.from({ length: 100 }, (_, i) => take(`person ${i}`, () => Promise.resolve(done++)));
  for (let turn = 1; turn <= 10; turn++) {
    await aTurn();
    expect(done).toBeLessThanOrEqual(turn + 1);
  }
  await Promise.all(all);
  expect(done).toBe(100);
});
test("metrics count the places in use, and how often all were in use", async () => {
  const { run: take } = fairQueue({ name: "counted", concurrency: 1, maxQueued: 1, maxWaitMs: 60_000 });
  const lines = async () => (await processRegistry.metrics()).split("\n").filter((line) => line.includes('resource="counted"'));
  const first = held();
  const all = [take("Ada", () => first.promise), take("Ada", () => Promise.reject(new Error("broken")))];
  await expect(take("Ada", () => Promise.resolve())).rejects.toMatchObject({ type: "UNAVAILABLE" });
  expect((await lines()).sort()).toEqual([
    'parley_resource_limit{resource="counted"} 2',
    'parley_resource_refused_total{resource="counted"} 1',
    'parley_resource_used{resource="counted"} 2',
  ]);
  first.resolve(undefined);
  await Promise.allSettled(all);
  expect(await lines()).toContain('parley_resource_used{resource="counted"} 0');
});
