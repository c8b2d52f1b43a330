/** A short fuzz, always of the same seed: `npm run fuzz` is the long one. */
import { expect, test } from "@jest/globals";
import { fuzz } from "./fuzz.ts";

test("wrong calls of every route and event break nothing, store nothing and leave nothing behind", async () => {
  const verdict = await fuzz({ seed: 1, each: 4 }, () => undefined);
  process.stderr.write(`${verdict.text()}\n`);
  expect(verdict.isClean ? "" : verdict.text()).toBe("");
  expect(verdict.total).toBeGreaterThan(1000);
}, 600_000);
