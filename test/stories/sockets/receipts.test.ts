/** Tests receipts: how far each member's delivered and read watermarks are, as events and in answers to clients that were away. */
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import type { TestSocket, Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
/** Waits until all events that the server sent before have arrived. */
const waitForEarlierEvents = (line: TestSocket) => line.callOrThrow("sync", { since: {} });
/** A user's highest watermarks that a socket received. */
function watermarksOf(line: TestSocket, userId: string) {
  const receipts = line.payloadsOf("receipt").filter((receipt) => receipt.userId === userId);
  return {
    deliveredN: Math.max(0, ...receipts.map(({ deliveredN }) => deliveredN)),
    readN: Math.max(0, ...receipts.map(({ readN }) => readN)),
  };
}
const storedWatermarks = async (who: Person, chatId: string, userId: string) =>
  (await who.get(`/chat/members/${chatId}`)).body.data.find((member: { userId: string }) => member.userId === userId);

story("Receipts", (world) => {
  test("someone who is not a member cannot mark messages as read, whether the chat exists or not", async () => {
    const { a, chatId } = await world.pair();
    await a.post("/chat/messages", { chatId, text: "One" });
    const stranger = await world.person();
    const line = await stranger.connect();
    for (const id of [chatId, nobody]) {
      expect(await line.call("markRead", { chatId: id, n: 1 })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
      expect((await stranger.post("/chat/read", { chatId: id, n: 1 })).status).toBe(403);
    }
  });

  test("all subscribed sockets, on both gateways, get a receipt when a member reads, the reader's other devices too", async () => {
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
    for (const line of lines) {
      const receipt = await line.waitFor("receipt", ({ userId, readN }) => userId === reader.id && readN === n);
      expect(receipt).toEqual({ chatId, userId: reader.id, deliveredN: n, readN: n });
    }
    // Below the watermark: it is answered, and no receipt is sent.
    expect(await line.callOrThrow("markRead", { chatId, n: n - 1 })).toEqual({ readN: n, unread: 0 });
    for (const line of lines) {
      await waitForEarlierEvents(line);
      const rising = line.payloadsOf("receipt").filter(({ userId }) => userId === reader.id);
      expect(rising.map(({ readN }) => readN)).toEqual(rising.map(({ readN }) => readN).toSorted((x, y) => x - y));
    }
  });

  test("a message counts as delivered when a device of the recipient receives it, and not before", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await a.connectAndSubscribe();
    await line.callOrThrow("sendMessage", { chatId, text: "Are you there?" });
    await waitForEarlierEvents(line);
    expect(await storedWatermarks(a, chatId, b.id)).toMatchObject({ deliveredN: 0, readN: 0 });
    expect(watermarksOf(line, b.id).deliveredN).toBe(0);

    const device = await b.connectAndSubscribe();
    await line.waitFor("receipt", ({ userId, deliveredN }) => userId === b.id && deliveredN === 1);
    await line.callOrThrow("sendMessage", { chatId, text: "Good" });
    await device.waitForCount("receiveMessage", 1);
    const receipt = await line.waitFor("receipt", ({ userId, deliveredN }) => userId === b.id && deliveredN === 2);
    expect(receipt).toEqual({ chatId, userId: b.id, deliveredN: 2, readN: 0 });
    expect(await storedWatermarks(a, chatId, b.id)).toMatchObject({ deliveredN: 2, readN: 0 });
  });

  test("a message counts as delivered even if the device disconnects right after it received it", async () => {
    const { a, b, chatId } = await world.pair();
    const device = await b.connect();
    await device.callOrThrow("joinChat", { chatId });
    await a.post("/chat/messages", { chatId, text: "Quick" });
    await device.waitForCount("receiveMessage", 1);
    device.close();
    await eventually("b's delivered watermark is raised", async () => (await storedWatermarks(a, chatId, b.id)).deliveredN === 1);
  });

  test("in a busy chat all delivered watermarks reach the end, with at most two receipts a second for each member", async () => {
    const { members, chatId } = await world.group(5);
    const lines = await Promise.all(members.map((one, i) => one.at(world.gateways()[i % 2]!).connectAndSubscribe()));
    const began = Date.now();
    const sent = await Promise.all(
      lines.flatMap((line) => Array.from({ length: 40 }, (_, i) => line.callOrThrow("sendMessage", { chatId, text: `${i}` }))),
    );
    // A member's own messages do not raise their delivered watermark: the last message of another member does.
    const due = members.map(({ id }) => Math.max(...sent.filter(({ senderId }) => senderId !== id).map(({ n }) => n)));
    const observer = lines[0]!;
    await eventually("all messages are delivered", () => members.every(({ id }, i) => watermarksOf(observer, id).deliveredN >= due[i]!));
    const seconds = (Date.now() - began) / 1000;
    // Each of the two chat nodes may send its own receipts.
    for (const { id } of members) {
      const count = observer.payloadsOf("receipt").filter(({ userId }) => userId === id).length;
      expect(count).toBeLessThanOrEqual(2 * (2 * seconds + 2));
    }
  });

  test("a client that was away gets the watermarks in the answer to subscribe", async () => {
    const { a, b, chatId } = await world.pair();
    const { n, seq } = (await a.post("/chat/messages", { chatId, text: "While you were away" })).body;
    await b.post("/chat/read", { chatId, n });
    const answer = await (await a.connect()).callOrThrow("subscribe", { since: { [chatId]: seq } });
    expect(answer.receipts[chatId]).toContainEqual({ userId: b.id, deliveredN: n, readN: n });
  });

  test("a read watermark that is malformed or beyond the last message is refused and changes nothing", async () => {
    const { a, b, chatId } = await world.pair();
    await a.post("/chat/messages", { chatId, text: "One" });
    const line = await b.connect();
    for (const n of [2, -1, 0.5, "1", null, Number.MAX_SAFE_INTEGER]) {
      expect(await line.call("markRead", { chatId, n })).toMatchObject({ ok: false, error: { code: "VALIDATION" } });
    }
    expect(await storedWatermarks(a, chatId, b.id)).toMatchObject({ readN: 0 });
  });

  test("in a chat of more than 20 members, only the reader's own devices get receipts", async () => {
    const { members, chatId } = await world.group(21);
    const [writer, reader] = members as [Person, Person];
    const [line, ownDevice] = [await writer.connectAndSubscribe(), await reader.connectAndSubscribe()];
    const { n } = (await writer.post("/chat/messages", { chatId, text: "To all" })).body;
    await ownDevice.waitFor("receiveMessage", (message) => message.n === n);
    expect((await reader.post("/chat/read", { chatId, n })).body).toEqual({ chatId, readN: n, unread: 0 });
    expect(await ownDevice.waitFor("receipt")).toMatchObject({ userId: reader.id, readN: n });
    await waitForEarlierEvents(line);
    expect(line.payloadsOf("receipt")).toEqual([]);
    expect(await storedWatermarks(writer, chatId, reader.id)).toMatchObject({ deliveredN: 0, readN: n });
  });
});
