/** The messages a client holds of one chat: an unbroken run, the newest state of each, whatever order they come in. */
import { expect, test } from "@jest/globals";
import { MessageWindow } from "../../../client/chats/message-window.ts";
import { message } from "../../support/client/documents.ts";

const filled = (...ns: number[]): MessageWindow => {
  const log = new MessageWindow();
  log.restart([], ns[0]!);
  for (const n of ns) log.put(message({ n }));
  return log;
};
const ns = (log: MessageWindow) => log.messages.map(({ n }) => n);

test("messages stand by n, in whatever order they come", () => {
  expect(ns(filled(1, 4, 2, 3))).toEqual([1, 2, 3, 4]);
});

test("before there is a beginning, an earlier message may come after a later one", () => {
  const log = new MessageWindow();
  for (const n of [7, 5, 6]) log.put(message({ n }));
  expect(ns(log)).toEqual([5, 6, 7]);
  expect([log.first, log.contiguousUpTo]).toEqual([5, 7]);
});

test("a later state replaces an earlier one, and never the other way", () => {
  const log = filled(1);
  expect(log.put(message({ n: 1, seq: 5, text: "edited" }))).toBe("changed");
  expect(log.put(message({ n: 1, seq: 3, text: "older" }))).toBe("old");
  expect(log.put(message({ n: 1, seq: 5, text: "again" }))).toBe("old");
  expect(log.messages.map(({ text }) => text)).toEqual(["edited"]);
});

test("it says up to where nothing is missing", () => {
  const log = filled(5, 6, 8, 9);
  expect(log.contiguousUpTo).toBe(6);
  log.put(message({ n: 7 }));
  expect(log.contiguousUpTo).toBe(9);
});

test("what lies before the oldest message held is not held", () => {
  const log = filled(5);
  expect(log.put(message({ n: 4 }))).toBe("outside");
  expect(ns(log)).toEqual([5]);
});

test("a page of older messages goes before, in the newer state where one came while it was on its way", () => {
  const log = filled(5, 6);
  log.expectOlderPage();
  log.put(message({ n: 4, seq: 20, text: "edited meanwhile" }));
  const page = [message({ n: 3 }), message({ n: 4, seq: 4, text: "as it was" })];
  expect(log.prepend(page, 5).map(({ text }) => text)).toEqual(["message 3", "edited meanwhile"]);
  expect(ns(log)).toEqual([3, 4, 5, 6]);
  expect(log.contiguousUpTo).toBe(6);
});

test("a page that does not end where the log begins is ignored", () => {
  const log = filled(5);
  log.expectOlderPage();
  log.restart([message({ n: 50 })], 51);
  expect(log.prepend([message({ n: 4 })], 5)).toEqual([]);
  expect(ns(log)).toEqual([50]);
});

test("a new beginning keeps what is newer than its page", () => {
  const log = filled(1, 2);
  log.put(message({ n: 11, seq: 30 }));
  log.restart([message({ n: 10 }), message({ n: 11, seq: 11 })], 12);
  expect(log.messages.map(({ n, seq }) => [n, seq])).toEqual([
    [10, 10],
    [11, 30],
  ]);
});

test("an empty chat begins with its first message, and notices one that is missing", () => {
  const log = new MessageWindow();
  log.restart([], 1);
  log.put(message({ n: 2 }));
  expect(log.contiguousUpTo).toBe(0);
  log.put(message({ n: 1 }));
  expect(log.contiguousUpTo).toBe(2);
});
