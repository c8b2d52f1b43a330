/** The architecture page knows every service: its diagram, and the order of services. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { serviceNames } from "../../../core/service-names.ts";

const page = readFileSync("docs/architecture.md", "utf8");

test("the order of services in docs/architecture.md has each service once", () => {
  const [, order = ""] = /^The services have an order: ([a-z, ]+)\./m.exec(page) ?? [];
  expect(order.split(", ").sort()).toEqual(serviceNames);
});

test("the diagram of docs/architecture.md shows every service", () => {
  const [, diagram = ""] = /```mermaid\n(.*?)```/s.exec(page) ?? [];
  const [, services = ""] = /subgraph services\n(.*?)\n {2}end/s.exec(diagram) ?? [];
  // The texts on the arrows may contain a service's name.
  const shown: readonly string[] = services.replace(/-[-.] .*?(?:-->|\.->)/g, "").match(/[a-z]+/g) ?? [];
  const problems = serviceNames.filter((name) => !shown.includes(name)).map((name) => `the diagram of docs/architecture.md lacks ${name}`);
  expect(problems).toEqual([]);
});
