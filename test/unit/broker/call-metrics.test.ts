import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { callMetrics } from "../../../core/broker/call-metrics.ts";
import { call } from "../../../core/contract/call.ts";
import { contract, returns } from "../../../core/contract/contract.ts";
import { Conflict } from "../../../core/errors.ts";
import { registryOf } from "../../../core/metrics/declare.ts";

const spec = { summary: "", access: "service", params: {}, result: returns<string>() } as const;
const shop = contract("shop", { buy: spec, refuse: spec, crash: spec, wait: spec, neverCalled: spec });
const broker = new ServiceBroker({ logger: false, middlewares: [callMetrics()] });
let release = () => {};
broker.createService({
  name: "shop",
  actions: {
    buy: () => "sold",
    refuse() {
      throw new Conflict("Sold out");
    },
    crash() {
      throw new TypeError("No such shelf");
    },
    wait: () => new Promise<void>((resolve) => (release = resolve)),
    neverCalled: () => undefined,
  },
});
beforeAll(() => broker.start());
afterAll(() => broker.stop());

const lines = async (): Promise<string[]> => (await registryOf(broker).metrics()).split("\n");

test("calls are counted by action, with their duration, failures by code and fault, and the calls in progress", async () => {
  await call(broker, shop.buy, {});
  await call(broker, shop.buy, {});
  await expect(call(broker, shop.refuse, {})).rejects.toThrow("Sold out");
  await expect(call(broker, shop.crash, {})).rejects.toThrow("No such shelf");
  const waiting = call(broker, shop.wait, {});
  const printed = await lines();
  expect(printed).toContain('parley_call_seconds_count{action="shop.buy",kind="answered"} 2');
  expect(printed).toContain('parley_call_seconds_bucket{action="shop.buy",kind="answered",le="+Inf"} 2');
  expect(printed).toContain('parley_call_seconds_count{action="shop.refuse",kind="answered"} 1');
  expect(printed).toContain('parley_calls_failed_total{action="shop.refuse",kind="answered",code="CONFLICT",fault="client"} 1');
  expect(printed).toContain('parley_calls_failed_total{action="shop.crash",kind="answered",code="TypeError",fault="server"} 1');
  expect(printed).toContain('parley_calls_active{action="shop.wait",kind="answered"} 1');
  expect(printed.filter((line) => line.includes("neverCalled"))).toEqual([]);
  release();
  await waiting;
  expect(await lines()).toContain('parley_calls_active{action="shop.wait",kind="answered"} 0');
});

test("the buckets of a histogram add up to its count", async () => {
  const below = (await lines())
    .filter((line) => line.startsWith('parley_call_seconds_bucket{action="shop.buy"'))
    .map((line) => Number(line.split(" ").at(-1)));
  expect(below).toEqual(below.toSorted((a, b) => a - b));
  expect(below.at(-1)).toBe(2);
});

test("a second scrape counts nothing twice", async () => {
  await lines();
  expect((await lines()).filter((line) => line.startsWith("parley_calls_failed_total{"))).toHaveLength(2);
  expect(await lines()).toContain('parley_calls_failed_total{action="shop.refuse",kind="answered",code="CONFLICT",fault="client"} 1');
});
