/** What a client says at every key costs one call in a while. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { Forbidden } from "../../core/errors.ts";
import { TypingThrottle } from "../../services/gateway/socket/inbound/typing-throttle.ts";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function socket() {
  const calls: string[] = [];
  const typed = new TypingThrottle();
  const says = (chatId: string, isTyping: boolean, refusal?: Error) =>
    typed.report({ chatId, isTyping }, () => {
      calls.push(`${chatId} ${isTyping}`);
      return refusal === undefined ? Promise.resolve() : Promise.reject(refusal);
    });
  return { typed, says, calls };
}

test("the same again costs nothing, another word or another chat a call", async () => {
  const { says, calls } = socket();
  for (let key = 0; key < 20; key++) await says("a", true);
  await says("b", true);
  await says("a", false);
  await says("a", false);
  expect(calls).toEqual(["a true", "b true", "a false"]);
});

test("whoever goes on typing is heard again before they are forgotten", async () => {
  const { says, calls } = socket();
  for (let key = 0; key < 60; key++) {
    await says("a", true);
    await jest.advanceTimersByTimeAsync(100);
  }
  expect(calls.length).toBe(3);
});

test("after a message it is news again", async () => {
  const { typed, says, calls } = socket();
  await says("a", true);
  typed.forget("a");
  await says("a", true);
  expect(calls).toEqual(["a true", "a true"]);
});

test("a refusal is everyone's who asked meanwhile, and is not remembered", async () => {
  const { says, calls } = socket();
  const both = [says("a", true, new Forbidden()), says("a", true)];
  expect(await Promise.allSettled(both)).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
  await says("a", true);
  expect(calls).toEqual(["a true", "a true"]);
});
