/** Tests the pages and cursors of lists. */
import { expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { newestFirst, pageCursor, pageOf, positionAt, type PagePosition } from "../../../core/contract/paging.ts";

const [older, newer] = [newId(), newId()].sort() as [string, string];
const entries: readonly PagePosition[] = [
  [3, older],
  [2, newer],
  [2, older],
];
const itself = (entry: PagePosition) => entry;

test("a page has the cursor of its last entry if entries follow", () => {
  const { page, next } = pageOf(entries, 2, itself);
  expect(page).toEqual(entries.slice(0, 2));
  expect(next).toMatch(pageCursor.pattern);
  expect(positionAt(next!)).toEqual(entries[1]);
});

test("the last page has no cursor", () => {
  expect(pageOf(entries, 3, itself)).toEqual({ page: entries });
  expect(pageOf([], 3, itself)).toEqual({ page: [] });
});

test("the newest entry comes first, and of two entries of the same time the one with the higher id", () => {
  expect([...entries].reverse().sort(newestFirst)).toEqual(entries);
});
