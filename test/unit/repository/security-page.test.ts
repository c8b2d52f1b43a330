/** docs/security.md is believed only as far as the tests it names exist. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

const root = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("docs/security.md", root), "utf8");
const fileAt = (path: string): string => readFileSync(new URL(path, new URL("docs/", root)), "utf8");

const filesByLabel = new Map([...page.matchAll(/^\[(\w+)\]: (\S+)$/gm)].map(([, label, path]) => [label, fileAt(path!)]));
const defects = [...page.matchAll(/^\| (\d+) .*\| (?:\[(\w+)\]|below) +\|$/gm)].map(([, n, label]) => ({ n: Number(n), label }));
const besides = [...page.matchAll(/^- (\d+): \[([^\]]+)\]\(([^)]+)\)$/gm)].map(([, n, name, path]) => ({
  n: Number(n),
  name: name!,
  path: path!,
}));

test("every defect is listed once, in order", () => {
  expect(defects.map(({ n }) => n)).toEqual(Array.from({ length: 26 }, (_, i) => i + 1));
});

test.each(defects)("defect $n has its test", ({ n, label }) => {
  const isStory = label !== undefined && filesByLabel.get(label)?.includes(`test("defect ${n}: `) === true;
  const isNamed = besides.some((one) => one.n === n && (label === undefined || fileAt(one.path) === filesByLabel.get(label)));
  expect(isStory || isNamed).toBe(true);
});

test.each(besides)("defect $n: there is a test $name", ({ name, path }) => {
  expect(fileAt(path)).toContain(name);
});
