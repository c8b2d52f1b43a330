/** Tests the table of docs/metrics.md, in a process that declares no other metrics. */
import { expect, test } from "@jest/globals";
import { outOfDate } from "../../../scripts/generate/markdown-table.ts";
import { metricsTable } from "../../../scripts/generate/metrics-table.ts";

test("the table of docs/metrics.md is up to date", async () => {
  expect(await outOfDate(metricsTable)).toBeUndefined();
});
