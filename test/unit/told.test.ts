/** What a socket was told of its memberships: news is news once, in whatever order it comes. */
import { expect, test } from "@jest/globals";
import { KnownMemberships } from "../../services/gateway/socket/known-memberships.ts";

const chatId = "chat";
const joined = (joinedSeq: number) => ({ chatId, joinedSeq });
const left = (leftSeq: number) => ({ chatId, leftSeq });

test("a joining is news once, and an end once", () => {
  const told = new KnownMemberships();
  expect([told.recordJoin(joined(1)), told.recordJoin(joined(1))]).toEqual(["new", "known"]);
  expect([told.recordLeave(left(5)), told.recordLeave(left(5))]).toEqual(["new", "known"]);
  expect([told.recordJoin(joined(1)), told.recordJoin(joined(9))]).toEqual(["known", "new"]);
});

test("a second joining whose end in between was not told says so, and the late end changes nothing", () => {
  const told = new KnownMemberships();
  told.recordJoin(joined(1));
  expect(told.recordJoin(joined(9))).toBe("again");
  expect(told.recordLeave(left(5))).toBe("known");
  expect(told.isMember(chatId, 9)).toBe(true);
});

test("an end that comes before its joining makes the joining no news", () => {
  const told = new KnownMemberships();
  told.recordJoin(joined(1));
  told.recordLeave(left(5));
  expect(told.recordLeave(left(12))).toBe("known");
  expect(told.recordJoin(joined(9))).toBe("known");
  expect(told.hasLeft(chatId)).toBe(true);
});

test("the end of a chat it knows nothing of is told as such", () => {
  const told = new KnownMemberships();
  expect(told.hasLeft(chatId)).toBe(false);
  expect([told.recordLeave(left(5)), told.recordLeave(left(5))]).toEqual(["unknown", "known"]);
});
