/** Runs a short fuzz with a fixed seed. `npm run fuzz` runs a longer one. */
import { expect, test } from "@jest/globals";
import { fuzz } from "./fuzz.ts";

test("invalid calls of every route and event break nothing, store nothing and leak nothing", async () => {
  const verdict = await fuzz({ seed: 1, each: 4 }, () => undefined);
  process.stderr.write(`${verdict.text()}\n`);
  expect(verdict.isClean ? "" : verdict.text()).toBe("");
  expect(verdict.total).toBeGreaterThan(1000);
}, 600_000);
