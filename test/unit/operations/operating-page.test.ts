/** The operating guide's example of a mesh runs every service. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { serviceNames } from "../../../core/service-names.ts";

test("the nodes that docs/operating.md starts for a mesh run every service", () => {
  const page = readFileSync(new URL("../../../docs/operating.md", import.meta.url), "utf8");
  const started = [...page.matchAll(/^SERVICES=(\S+) npm start/gm)].flatMap(([, services]) => services!.split(","));
  const problems = [
    ...serviceNames.filter((name) => !started.includes(name)).map((name) => `docs/operating.md starts no node with ${name}`),
    ...started.filter((name) => !serviceNames.includes(name)).map((name) => `docs/operating.md starts ${name}, which is not a service`),
  ];
  expect(problems).toEqual([]);
});
