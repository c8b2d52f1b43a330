import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { callMetrics, callMetricsLines } from "../../core/broker/call-metrics.ts";
import { call } from "../../core/call.ts";
import { contract, returns } from "../../core/contract.ts";
import { Conflict } from "../../core/errors.ts";

const spec = { summary: "", access: "service", params: {}, result: returns<string>() } as const;
const shop = contract("shop", { buy: spec, refuse: spec, wait: spec, neverCalled: spec });
const broker = new ServiceBroker({ logger: false, middlewares: [callMetrics()] });
let release = () => {};
broker.createService({
  name: "shop",
  actions: {
    buy: () => "sold",
    refuse() {
      throw new Conflict("Sold out");
    },
    wait: () => new Promise<void>((resolve) => (release = resolve)),
    neverCalled: () => undefined,
  },
});
beforeAll(() => broker.start());
afterAll(() => broker.stop());

test("calls are counted by action, with their time, their failures by code, and those under way", async () => {
  await call(broker, shop.buy, {});
  await call(broker, shop.buy, {});
  await expect(call(broker, shop.refuse, {})).rejects.toThrow("Sold out");
  const waiting = call(broker, shop.wait, {});
  const lines = callMetricsLines(broker);
  expect(lines).toContain('parley_call_seconds_count{action="shop.buy",kind="answered"} 2');
  expect(lines).toContain('parley_call_seconds_bucket{action="shop.buy",kind="answered",le="+Inf"} 2');
  expect(lines).toContain('parley_call_seconds_count{action="shop.refuse",kind="answered"} 1');
  expect(lines).toContain('parley_calls_failed_total{action="shop.refuse",kind="answered",code="CONFLICT"} 1');
  expect(lines).toContain('parley_calls_active{action="shop.wait",kind="answered"} 1');
  expect(lines.filter((line) => line.includes("neverCalled"))).toEqual([]);
  release();
  await waiting;
  expect(callMetricsLines(broker)).toContain('parley_calls_active{action="shop.wait",kind="answered"} 0');
});

test("the buckets of a histogram add up to its count", () => {
  const below = callMetricsLines(broker)
    .filter((line) => line.startsWith('parley_call_seconds_bucket{action="shop.buy"'))
    .map((line) => Number(line.split(" ").at(-1)));
  expect(below).toEqual(below.toSorted((a, b) => a - b));
  expect(below.at(-1)).toBe(2);
});
