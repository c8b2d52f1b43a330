/** Ids have one form, and none is made twice. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { isId, newId } from "../../../core/ids.ts";

test("an id is 24 hex digits and begins with the second of its creation", () => {
  const before = Math.floor(Date.now() / 1000);
  const id = newId();
  expect(id).toMatch(/^[0-9a-f]{24}$/);
  const seconds = parseInt(id.slice(0, 8), 16);
  expect(seconds).toBeGreaterThanOrEqual(before);
  expect(seconds).toBeLessThanOrEqual(Date.now() / 1000);
});

test("a hundred thousand ids are all different", () => {
  const ids = Array.from({ length: 100_000 }, newId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every(isId)).toBe(true);
});

test("two processes create different ids", async () => {
  const module = new URL("../../../core/ids.ts", import.meta.url).href;
  const script = `const { newId } = await import(${JSON.stringify(module)}); process.stdout.write(newId().slice(8, 18))`;
  const run = () => promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  const [a, b] = await Promise.all([run(), run()]);
  expect(a.stdout).toMatch(/^[0-9a-f]{10}$/);
  expect(a.stdout).not.toBe(b.stdout);
});

test.each([
  ["", false],
  ["0123456789abcdef01234567", true],
  ["0123456789ABCDEF01234567", false],
  ["0123456789abcdef0123456", false],
  ["0123456789abcdef012345678", false],
  ["0123456789abcdef01234567\n", false],
  ["g123456789abcdef01234567", false],
  [123, false],
  [null, false],
  [undefined, false],
  [["0123456789abcdef01234567"], false],
])("isId(%j) is %s", (value, expected) => {
  expect(isId(value)).toBe(expected);
});
