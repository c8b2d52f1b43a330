/** Delivered marks: collected, told rarely, and told again when chat was away. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { DeliveredWatermarks } from "../../../../services/gateway/socket/rooms/delivered-watermarks.ts";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A chat that keeps marks, unless it is away. */
function chatOf() {
  const told: Readonly<Record<string, number>>[] = [];
  let isAway = false;
  const deliveries = new DeliveredWatermarks((marks) => {
    told.push(marks);
    return isAway ? Promise.reject(new Error("away")) : Promise.resolve();
  });
  return { deliveries, told, away: (is: boolean) => (isAway = is) };
}
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

test("tells soon after the first, then every two seconds what came meanwhile", async () => {
  const { deliveries, told } = chatOf();
  deliveries.recordDelivered("a", 1, true);
  deliveries.recordDelivered("b", 1, true);
  await pass(150);
  expect(told).toEqual([{ a: 1, b: 1 }]);
  for (let n = 2; n <= 1000; n++) {
    deliveries.recordDelivered("a", n, true);
    await pass(10);
  }
  await pass(2000);
  expect(told.length).toBeLessThanOrEqual(1 + 10 / 2 + 1);
  expect(told.at(-1)).toEqual({ a: 1000 });
});

test("tells nothing that chat has already, and nothing twice", async () => {
  const { deliveries, told } = chatOf();
  deliveries.recordStored("a", 5);
  deliveries.recordDelivered("a", 5, true);
  deliveries.recordDelivered("b", 5, true);
  await pass(5000);
  deliveries.recordDelivered("b", 5, true);
  await pass(5000);
  expect(told).toEqual([{ b: 5 }]);
});

test("one's own messages alone are not told, but go along with what is", async () => {
  const { deliveries, told } = chatOf();
  for (let n = 1; n <= 50; n++) deliveries.recordDelivered("a", n, false);
  await pass(5000);
  expect(told).toEqual([]);
  deliveries.recordDelivered("b", 50, true);
  await pass(5000);
  expect(told).toEqual([{ a: 50, b: 50 }]);
});

test("tells again what could not be told, less and less often, one call at a time", async () => {
  const { deliveries, told, away } = chatOf();
  away(true);
  deliveries.recordDelivered("a", 1, true);
  await pass(60_000);
  expect(told.length).toBeGreaterThan(2);
  expect(told.length).toBeLessThan(8);
  away(false);
  deliveries.recordDelivered("a", 2, true);
  await pass(40_000);
  expect(told.at(-1)).toEqual({ a: 2 });
  const count = told.length;
  await pass(60_000);
  expect(told).toHaveLength(count);
});

test("at the end it tells what is left, once, and plans no more", async () => {
  const { deliveries, told } = chatOf();
  deliveries.recordDelivered("a", 1, true);
  deliveries.close();
  expect(told).toEqual([{ a: 1 }]);
  await pass(60_000);
  expect(told).toHaveLength(1);
});

test("forgets who is no member any more", async () => {
  const { deliveries, told } = chatOf();
  deliveries.recordDelivered("a", 1, true);
  deliveries.recordDelivered("b", 1, true);
  deliveries.forget("a");
  await pass(1000);
  expect(told).toEqual([{ b: 1 }]);
});
