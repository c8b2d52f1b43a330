/** Tests how often the client sends that the user is typing. */
import { afterEach, expect, jest, test } from "@jest/globals";
import { Typists } from "../../../client/chats/typists.ts";

afterEach(() => void jest.restoreAllMocks());

test("a note is not repeated early when the device's clock is set forward", () => {
  const sent: boolean[] = [];
  const typists = new Typists({ send: ({ isTyping }) => sent.push(isTyping), emit: () => undefined });
  typists.sendTyping("chat", true);
  const inAnHour = Date.now() + 3_600_000;
  jest.spyOn(Date, "now").mockReturnValue(inAnHour);
  typists.sendTyping("chat", true);
  expect(sent).toEqual([true]);
  typists.sendTyping("chat", false);
  typists.sendTyping("chat", false);
  expect(sent).toEqual([true, false]);
});
