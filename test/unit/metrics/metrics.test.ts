import { expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { counter, declarations, gauge, registryOf } from "../../../core/metrics/declare.ts";

const newBroker = () => new ServiceBroker({ logger: false });
const linesOf = async (broker: ServiceBroker, name: string): Promise<string[]> =>
  (await registryOf(broker).metrics()).split("\n").filter((line) => line.startsWith(name));

test("each broker has its own values", async () => {
  const sold = counter("parley_sold_total", "Sold", ["what"]);
  const [one, other] = [newBroker(), newBroker()];
  sold.of(one).inc({ what: "tea" });
  sold.of(one).inc({ what: "tea" });
  sold.of(other).inc({ what: "tea" });
  expect(await linesOf(one, "parley_sold_total")).toEqual(['parley_sold_total{what="tea"} 2']);
  expect(await linesOf(other, "parley_sold_total")).toEqual(['parley_sold_total{what="tea"} 1']);
  expect(await linesOf(newBroker(), "parley_sold_total")).toEqual([]);
});

test("gauges are read and added up at each scrape, and one that fails leaves the others", async () => {
  const inStore = gauge("parley_in_store", "In store", ["what"]);
  const broker = newBroker();
  let tea = 1;
  inStore.collect(broker, () => [[{ what: "tea" }, tea]]);
  inStore.collect(broker, () => Promise.resolve([[{ what: "tea" }, 10] as const]));
  inStore.collect(broker, () => Promise.reject(new Error("away")));
  expect(await linesOf(broker, "parley_in_store")).toEqual(['parley_in_store{what="tea"} 11']);
  tea = 5;
  expect(await linesOf(broker, "parley_in_store")).toEqual(['parley_in_store{what="tea"} 15']);
});

test("a gauge that cannot be read is missing, rather than zero", async () => {
  const age = gauge("parley_age_seconds", "Age");
  const broker = newBroker();
  let isThere = true;
  age.collect(broker, () => (isThere ? [[{}, 7]] : Promise.reject(new Error("away"))));
  expect(await linesOf(broker, "parley_age_seconds")).toEqual(["parley_age_seconds 7"]);
  isThere = false;
  expect(await linesOf(broker, "parley_age_seconds")).toEqual([]);
  isThere = true;
  expect(await linesOf(broker, "parley_age_seconds")).toEqual(["parley_age_seconds 7"]);
});

test("a name that breaks Prometheus' conventions, or that exists already, is refused", () => {
  counter("parley_taken_total", "Taken");
  expect(() => counter("parley_taken_total", "Taken")).toThrow("is declared already");
  expect(() => counter("parley_calls", "Calls")).toThrow("counters end with _total");
  expect(() => gauge("parley_open_total", "Open")).toThrow("counters end with _total");
  expect(() => gauge("sockets", "Sockets")).toThrow("begins with parley_");
  expect(() => gauge("parley_Sockets", "Sockets")).toThrow("snake case");
  expect(() => gauge("parley_labelled", "Labelled", ["nodeID"])).toThrow("nodeID is not in snake case");
  expect(declarations().map(({ name }) => name)).toContain("parley_taken_total");
  expect(declarations().map(({ name }) => name)).not.toContain("parley_labelled");
});
