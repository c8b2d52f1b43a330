/** Receipts: how far a message has come, told while it happens and found again by who was away. */
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import type { TestSocket, Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const settled = (line: TestSocket) => line.callOrThrow("sync", { since: {} });
/** The highest marks that a socket was told of somebody. */
function marks(line: TestSocket, userId: string) {
  const own = line.payloadsOf("receipt").filter((receipt) => receipt.userId === userId);
  return { deliveredN: Math.max(0, ...own.map(({ deliveredN }) => deliveredN)), readN: Math.max(0, ...own.map(({ readN }) => readN)) };
}
const stored = async (who: Person, chatId: string, userId: string) =>
  (await who.get(`/chat/members/${chatId}`)).body.data.find((member: { userId: string }) => member.userId === userId);

story("Receipts", (world) => {
  test("a mark in a chat one is not in is FORBIDDEN, existing or not", async () => {
    const { a, chatId } = await world.pair();
    await a.post("/chat/messages", { chatId, text: "One" });
    const stranger = await world.person();
    const line = await stranger.connect();
    for (const id of [chatId, nobody]) {
      expect(await line.call("markRead", { chatId: id, n: 1 })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
      expect((await stranger.post("/chat/read", { chatId: id, n: 1 })).status).toBe(403);
    }
  });

  test("what was read is told to all who hear the chat, on both gateways, the reader's other devices too", async () => {
    const { members, chatId } = await world.group(3);
    const [writer, reader, third] = members as [Person, Person, Person];
    const [near, far] = world.gateways();
    const lines = [
      await writer.at(near).connectAndSubscribe(),
      await third.at(far).connectAndSubscribe(),
      await reader.at(far).connectAndSubscribe(),
    ];
    const line = await reader.at(near).connect();
    const { n } = (await writer.post("/chat/messages", { chatId, text: "Read me" })).body;
    expect(await line.callOrThrow("markRead", { chatId, n })).toEqual({ readN: n, unread: 0 });
    for (const one of lines) {
      const receipt = await one.waitFor("receipt", ({ userId, readN }) => userId === reader.id && readN === n);
      expect(receipt).toEqual({ chatId, userId: reader.id, deliveredN: n, readN: n });
    }
    // Behind the mark: answered, and not told again.
    expect(await line.callOrThrow("markRead", { chatId, n: n - 1 })).toEqual({ readN: n, unread: 0 });
    for (const one of lines) {
      await settled(one);
      const rising = one.payloadsOf("receipt").filter(({ userId }) => userId === reader.id);
      expect(rising.map(({ readN }) => readN)).toEqual(rising.map(({ readN }) => readN).toSorted((x, y) => x - y));
    }
  });

  test("a message is delivered once a device of the other is there to take it, and not before", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await a.connectAndSubscribe();
    await line.callOrThrow("sendMessage", { chatId, text: "Are you there?" });
    await settled(line);
    expect(await stored(a, chatId, b.id)).toMatchObject({ deliveredN: 0, readN: 0 });
    expect(marks(line, b.id).deliveredN).toBe(0);

    const device = await b.connectAndSubscribe();
    await line.waitFor("receipt", ({ userId, deliveredN }) => userId === b.id && deliveredN === 1);
    await line.callOrThrow("sendMessage", { chatId, text: "Good" });
    await device.waitForCount("receiveMessage", 1);
    const receipt = await line.waitFor("receipt", ({ userId, deliveredN }) => userId === b.id && deliveredN === 2);
    expect(receipt).toEqual({ chatId, userId: b.id, deliveredN: 2, readN: 0 });
    expect(await stored(a, chatId, b.id)).toMatchObject({ deliveredN: 2, readN: 0 });
  });

  test("a device that goes at once has taken what it was handed", async () => {
    const { a, b, chatId } = await world.pair();
    const device = await b.connect();
    await device.callOrThrow("joinChat", { chatId });
    await a.post("/chat/messages", { chatId, text: "Quick" });
    await device.waitForCount("receiveMessage", 1);
    device.close();
    await eventually("b's mark is raised", async () => (await stored(a, chatId, b.id)).deliveredN === 1);
  });

  test("in a busy chat everyone's marks come to the end, told at most twice a second a person", async () => {
    const { members, chatId } = await world.group(5);
    const lines = await Promise.all(members.map((one, i) => one.at(world.gateways()[i % 2]!).connectAndSubscribe()));
    const began = Date.now();
    const sent = await Promise.all(
      lines.flatMap((line) => Array.from({ length: 40 }, (_, i) => line.callOrThrow("sendMessage", { chatId, text: `${i}` }))),
    );
    // One's own last message is no news to oneself: what others wrote after it decides.
    const due = members.map(({ id }) => Math.max(...sent.filter(({ senderId }) => senderId !== id).map(({ n }) => n)));
    const observer = lines[0]!;
    await eventually("all is delivered", () => members.every(({ id }, i) => marks(observer, id).deliveredN >= due[i]!));
    const seconds = (Date.now() - began) / 1000;
    // Each of the two chat nodes may tell what it gathered.
    for (const { id } of members) {
      const told = observer.payloadsOf("receipt").filter(({ userId }) => userId === id).length;
      expect(told).toBeLessThanOrEqual(2 * (2 * seconds + 2));
    }
  });

  test("who was away finds the marks in the answer", async () => {
    const { a, b, chatId } = await world.pair();
    const { n, seq } = (await a.post("/chat/messages", { chatId, text: "While you were away" })).body;
    await b.post("/chat/read", { chatId, n });
    const answer = await (await a.connect()).callOrThrow("subscribe", { since: { [chatId]: seq } });
    expect(answer.receipts[chatId]).toContainEqual({ userId: b.id, deliveredN: n, readN: n });
  });

  test("a mark that is none is refused and changes nothing", async () => {
    const { a, b, chatId } = await world.pair();
    await a.post("/chat/messages", { chatId, text: "One" });
    const line = await b.connect();
    for (const n of [2, -1, 0.5, "1", null, Number.MAX_SAFE_INTEGER]) {
      expect(await line.call("markRead", { chatId, n })).toMatchObject({ ok: false, error: { code: "VALIDATION" } });
    }
    expect(await stored(a, chatId, b.id)).toMatchObject({ readN: 0 });
  });

  test("with more than 20 members they are told to oneself alone", async () => {
    const { members, chatId } = await world.group(21);
    const [writer, reader] = members as [Person, Person];
    const [line, own] = [await writer.connectAndSubscribe(), await reader.connectAndSubscribe()];
    const { n } = (await writer.post("/chat/messages", { chatId, text: "To all" })).body;
    await own.waitFor("receiveMessage", (message) => message.n === n);
    expect((await reader.post("/chat/read", { chatId, n })).body).toEqual({ chatId, readN: n, unread: 0 });
    expect(await own.waitFor("receipt")).toMatchObject({ userId: reader.id, readN: n });
    await settled(line);
    expect(line.payloadsOf("receipt")).toEqual([]);
    expect(await stored(writer, chatId, reader.id)).toMatchObject({ deliveredN: 0, readN: n });
  });
});
