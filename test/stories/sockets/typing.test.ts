/** Typing: who hears that someone types, and when it is over. */
import { expect, test } from "@jest/globals";
import type { TestSocket, Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
/** Whatever the server sent to this socket before, it was heard once this is answered. */
const settled = (line: TestSocket) => line.callOrThrow("sync", { since: {} });
const heard = (line: TestSocket) => line.payloadsOf("typing").map(({ userId, isTyping }) => [userId, isTyping]);
const says = (line: TestSocket, chatId: string, isTyping: boolean) => line.callOrThrow("typing", { chatId, isTyping });

story("Typing", (world) => {
  test("in a chat one is not in is FORBIDDEN, existing or not, however often", async () => {
    const { a, chatId } = await world.pair();
    const [ears, line] = [await a.connectAndSubscribe(), await (await world.person()).connect()];
    for (const id of [chatId, nobody, chatId]) {
      expect(await line.call("typing", { chatId: id, isTyping: true })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
    const atOnce = await Promise.all([1, 2, 3].map(() => line.call("typing", { chatId, isTyping: true })));
    expect(atOnce.map(({ ok }) => ok)).toEqual([false, false, false]);
    await settled(ears);
    expect(heard(ears)).toEqual([]);
  });

  test("is refused between people who are in contact no more", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await a.connect();
    await says(line, chatId, true);
    expect((await b.delete(`/request/connections/${a.id}`)).status).toBe(200);
    expect(await line.call("typing", { chatId, isTyping: false })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
  });

  test("is heard once by the others who hear the chat, on both gateways, and by no socket of the typist", async () => {
    const { members, chatId } = await world.group(3);
    const [typist, subscriber, joiner] = members as [Person, Person, Person];
    const [near, far] = world.gateways();
    const own = [await typist.at(near).connectAndSubscribe(), await typist.at(far).connectAndSubscribe()];
    const others = [await subscriber.at(near).connectAndSubscribe(), await joiner.at(far).connect()];
    await others[1]!.callOrThrow("joinChat", { chatId });
    const deaf = await joiner.at(near).connect();

    for (const isTyping of [true, true, true, false, false, true]) await says(own[0]!, chatId, isTyping);
    for (const line of others) await line.waitForCount("typing", 3);
    for (const line of [...own, deaf]) await settled(line);
    for (const line of others) {
      expect(heard(line)).toEqual([
        [typist.id, true],
        [typist.id, false],
        [typist.id, true],
      ]);
      expect(line.payloadsOf("typing")[0]).toEqual({ chatId, userId: typist.id, isTyping: true });
    }
    for (const line of [...own, deaf]) expect(heard(line)).toEqual([]);
  });

  test("ends with the typist's message, and may begin again at once", async () => {
    const { a, b, chatId } = await world.pair();
    const [line, ears] = [await a.connect(), await b.connectAndSubscribe()];
    await says(line, chatId, true);
    await ears.waitForCount("typing", 1);
    await line.callOrThrow("sendMessage", { chatId, text: "There" });
    await ears.waitForCount("typing", 2);
    await says(line, chatId, true);
    expect((await ears.waitForCount("typing", 3)).map(({ isTyping }) => isTyping)).toEqual([true, false, true]);
  });

  test("ends when the typist leaves the chat", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, leaver] = members as [Person, Person];
    const [line, ears] = [await leaver.connect(), await admin.connectAndSubscribe()];
    await says(line, chatId, true);
    await ears.waitForCount("typing", 1);
    expect((await leaver.put("/chat/leave-group", { chatId })).status).toBe(200);
    await ears.waitFor("receiveMessage", ({ system }) => system?.event === "left");
    // Told before the message that says so.
    const events = ears.received.map(({ event, data }) => (event === "typing" ? data.isTyping : data.system?.event));
    expect(events.indexOf(false)).toBeGreaterThan(events.indexOf(true));
    expect(events.indexOf(false)).toBeLessThan(events.indexOf("left"));
  });

  test("needs a chat and a yes or no", async () => {
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
