/** Checks the list of tests in docs/security.md: each defect has a test, and each test that the list names exists. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

const page = new URL("../../../docs/security.md", import.meta.url);
const content = readFileSync(page, "utf8");

const defects = [...content.matchAll(/^\| (\d+) +\|/gm)].map(([, n]) => Number(n));
const tests = [...content.matchAll(/^- (\d+): \[([^\]]+)\]\(([^)]+)\)$/gm)].map(([, n, title, path]) => ({
  n: Number(n),
  title: title!,
  path: path!,
}));

test("every defect is listed once, in order", () => {
  expect(defects).toEqual(Array.from({ length: 26 }, (_, i) => i + 1));
});

test("the list names at least one test for every defect, in order", () => {
  expect([...new Set(tests.map(({ n }) => n))]).toEqual(defects);
  expect(tests.map(({ n }) => n)).toEqual(tests.map(({ n }) => n).sort((a, b) => a - b));
});

test.each(tests)("defect $n: the file has the test $title", ({ title, path }) => {
  expect(readFileSync(new URL(path, page), "utf8")).toContain(title);
});
