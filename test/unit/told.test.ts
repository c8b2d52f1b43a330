/** What a socket was told of its memberships: news is news once, in whatever order it comes. */
import { expect, test } from "@jest/globals";
import { Told } from "../../services/gateway/socket/told.ts";

const chatId = "chat";
const joined = (joinedSeq: number) => ({ chatId, joinedSeq });
const left = (leftSeq: number) => ({ chatId, leftSeq });

test("a joining is news once, and an end once", () => {
  const told = new Told();
  expect([told.join(joined(1)), told.join(joined(1))]).toEqual(["new", "known"]);
  expect([told.leave(left(5)), told.leave(left(5))]).toEqual(["new", "known"]);
  expect([told.join(joined(1)), told.join(joined(9))]).toEqual(["known", "new"]);
});

test("a second joining whose end in between was not told says so, and the late end changes nothing", () => {
  const told = new Told();
  told.join(joined(1));
  expect(told.join(joined(9))).toBe("again");
  expect(told.leave(left(5))).toBe("known");
  expect(told.isMember(chatId, 9)).toBe(true);
});

test("an end that comes before its joining makes the joining no news", () => {
  const told = new Told();
  told.join(joined(1));
  told.leave(left(5));
  expect(told.leave(left(12))).toBe("known");
  expect(told.join(joined(9))).toBe("known");
  expect(told.hasLeft(chatId)).toBe(true);
});

test("the end of a chat it knows nothing of is told as such", () => {
  const told = new Told();
  expect(told.hasLeft(chatId)).toBe(false);
  expect([told.leave(left(5)), told.leave(left(5))]).toEqual(["unknown", "known"]);
});
