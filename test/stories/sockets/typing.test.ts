/** Tests typing events: who gets them, and when typing ends. */
import { expect, test } from "@jest/globals";
import type { TestSocket, Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
/** Waits until all events that the server sent before have arrived. */
const waitForEarlierEvents = (line: TestSocket) => line.callOrThrow("sync", { since: {} });
const typingOf = (line: TestSocket) => line.payloadsOf("typing").map(({ userId, isTyping }) => [userId, isTyping]);
const report = (line: TestSocket, chatId: string, isTyping: boolean) => line.callOrThrow("typing", { chatId, isTyping });

story("Typing", (world) => {
  test("someone who is not a member cannot report typing, whether the chat exists or not, and however often they try", async () => {
    const { a, chatId } = await world.pair();
    const [listener, line] = [await a.connectAndSubscribe(), await (await world.person()).connect()];
    for (const id of [chatId, nobody, chatId]) {
      expect(await line.call("typing", { chatId: id, isTyping: true })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
    const concurrent = await Promise.all([1, 2, 3].map(() => line.call("typing", { chatId, isTyping: true })));
    expect(concurrent.map(({ ok }) => ok)).toEqual([false, false, false]);
    await waitForEarlierEvents(listener);
    expect(typingOf(listener)).toEqual([]);
  });

  test("typing is refused between users who are no longer contacts", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await a.connect();
    await report(line, chatId, true);
    expect((await b.delete(`/request/connections/${a.id}`)).status).toBe(200);
    expect(await line.call("typing", { chatId, isTyping: false })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
  });

  test("each start and end of typing is emitted once to the other members' sockets, on both gateways, and to no socket of the typist", async () => {
    const { members, chatId } = await world.group(3);
    const [typist, subscriber, joiner] = members as [Person, Person, Person];
    const [near, far] = world.gateways();
    const typistSockets = [await typist.at(near).connectAndSubscribe(), await typist.at(far).connectAndSubscribe()];
    const otherSockets = [await subscriber.at(near).connectAndSubscribe(), await joiner.at(far).connect()];
    await otherSockets[1]!.callOrThrow("joinChat", { chatId });
    const outsideRoom = await joiner.at(near).connect();

    for (const isTyping of [true, true, true, false, false, true]) await report(typistSockets[0]!, chatId, isTyping);
    for (const line of otherSockets) await line.waitForCount("typing", 3);
    for (const line of [...typistSockets, outsideRoom]) await waitForEarlierEvents(line);
    for (const line of otherSockets) {
      expect(typingOf(line)).toEqual([
        [typist.id, true],
        [typist.id, false],
        [typist.id, true],
      ]);
      expect(line.payloadsOf("typing")[0]).toEqual({ chatId, userId: typist.id, isTyping: true });
    }
    for (const line of [...typistSockets, outsideRoom]) expect(typingOf(line)).toEqual([]);
  });

  test("typing ends with the typist's message, and can start again right after it", async () => {
    const { a, b, chatId } = await world.pair();
    const [line, listener] = [await a.connect(), await b.connectAndSubscribe()];
    await report(line, chatId, true);
    await listener.waitForCount("typing", 1);
    await line.callOrThrow("sendMessage", { chatId, text: "There" });
    await listener.waitForCount("typing", 2);
    await report(line, chatId, true);
    expect((await listener.waitForCount("typing", 3)).map(({ isTyping }) => isTyping)).toEqual([true, false, true]);
  });

  test("typing ends when the typist leaves the chat", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, leaver] = members as [Person, Person];
    const [line, listener] = [await leaver.connect(), await admin.connectAndSubscribe()];
    await report(line, chatId, true);
    await listener.waitForCount("typing", 1);
    expect((await leaver.put("/chat/leave-group", { chatId })).status).toBe(200);
    await listener.waitFor("receiveMessage", ({ system }) => system?.event === "left");
    // The end arrives before the message that says that they left.
    const events = listener.received.map(({ event, data }) => (event === "typing" ? data.isTyping : data.system?.event));
    expect(events.indexOf(false)).toBeGreaterThan(events.indexOf(true));
    expect(events.indexOf(false)).toBeLessThan(events.indexOf("left"));
  });

  test("a typing report needs a chat id and a boolean, and allows no other field", async () => {
    const { a, chatId } = await world.pair();
    const line = await a.connect();
    for (const payload of [
      {},
      { chatId },
      { chatId, isTyping: "yes" },
      { chatId, isTyping: true, who: a.id },
      { chatId: 7, isTyping: true },
    ]) {
      expect(await line.call("typing", payload)).toMatchObject({ ok: false, error: { code: "VALIDATION" } });
    }
  });
});
