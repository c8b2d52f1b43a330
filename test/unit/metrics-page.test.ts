import { expect, test } from "@jest/globals";
import { outOfDate } from "../../scripts/metrics-table.ts";

test("the table of docs/metrics.md is up to date", async () => {
  expect(await outOfDate()).toBeUndefined();
});
