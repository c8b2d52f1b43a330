/** Tests that a window holds each message in its newest state, in whatever order they arrive. */
import { expect, test } from "@jest/globals";
import { MessageWindow } from "../../../client/chats/message-window.ts";
import { message } from "../../support/client/documents.ts";

const windowWith = (...ns: number[]): MessageWindow => {
  const window = new MessageWindow();
  window.restart([], ns[0]!);
  for (const n of ns) window.put(message({ n }));
  return window;
};
const ns = (window: MessageWindow) => window.messages.map(({ n }) => n);

test("messages are ordered by n, in whatever order they arrive", () => {
  expect(ns(windowWith(1, 4, 2, 3))).toEqual([1, 2, 3, 4]);
});

test("before the first page, an earlier message may arrive after a later one", () => {
  const window = new MessageWindow();
  for (const n of [7, 5, 6]) window.put(message({ n }));
  expect(ns(window)).toEqual([5, 6, 7]);
  expect([window.first, window.contiguousUpTo]).toEqual([5, 7]);
});

test("a newer state replaces an older one, never the other way round", () => {
  const window = windowWith(1);
  expect(window.put(message({ n: 1, seq: 5, text: "edited" }))).toBe("changed");
  expect(window.put(message({ n: 1, seq: 3, text: "older" }))).toBe("stale");
  expect(window.put(message({ n: 1, seq: 5, text: "again" }))).toBe("stale");
  expect(window.messages.map(({ text }) => text)).toEqual(["edited"]);
});

test("contiguousUpTo is the last message before a gap", () => {
  const window = windowWith(5, 6, 8, 9);
  expect(window.contiguousUpTo).toBe(6);
  window.put(message({ n: 7 }));
  expect(window.contiguousUpTo).toBe(9);
});

test("a message before the window is not held", () => {
  const window = windowWith(5);
  expect(window.put(message({ n: 4 }))).toBe("outside");
  expect(ns(window)).toEqual([5]);
});

test("an older page is prepended, with changes that arrived while it was loading", () => {
  const window = windowWith(5, 6);
  window.expectOlderPage();
  window.put(message({ n: 4, seq: 20, text: "edited meanwhile" }));
  const page = [message({ n: 3 }), message({ n: 4, seq: 4, text: "as it was" })];
  expect(window.prepend(page, 5).map(({ text }) => text)).toEqual(["message 3", "edited meanwhile"]);
  expect(ns(window)).toEqual([3, 4, 5, 6]);
  expect(window.contiguousUpTo).toBe(6);
});

test("a page that does not end where the window begins is ignored", () => {
  const window = windowWith(5);
  window.expectOlderPage();
  window.restart([message({ n: 50 })], 51);
  expect(window.prepend([message({ n: 4 })], 5)).toEqual([]);
  expect(ns(window)).toEqual([50]);
});

test("a restart keeps messages that are newer than the page", () => {
  const window = windowWith(1, 2);
  window.put(message({ n: 11, seq: 30 }));
  window.restart([message({ n: 10 }), message({ n: 11, seq: 11 })], 12);
  expect(window.messages.map(({ n, seq }) => [n, seq])).toEqual([
    [10, 10],
    [11, 30],
  ]);
});

test("an empty chat begins with message 1, and a missing one leaves a gap", () => {
  const window = new MessageWindow();
  window.restart([], 1);
  window.put(message({ n: 2 }));
  expect(window.contiguousUpTo).toBe(0);
  window.put(message({ n: 1 }));
  expect(window.contiguousUpTo).toBe(2);
});
