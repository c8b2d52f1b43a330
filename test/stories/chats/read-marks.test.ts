/** Tests a member's own view of a chat: unread messages, the read watermark, and settings such as muted and pinned. */
import { expect, test } from "@jest/globals";
import type { Message } from "../../../services/chat/contract.ts";
import { requestJson, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const read = (who: Person, chatId: string, n: unknown) => who.post("/chat/read", { chatId, n });
const settings = (who: Person, chatId: string, body: unknown) => who.patch(`/chat/settings/${chatId}`, body);
const viewOf = async (who: Person, chatId: string) =>
  (await who.get("/chat/my-chats")).body.find(({ _id }: { _id: string }) => _id === chatId);
async function fill(who: Person, chatId: string, count: number): Promise<void> {
  const line = await who.connect();
  await Promise.all(Array.from({ length: count }, (_, i) => line.callOrThrow("sendMessage", { chatId, text: `message ${i}` })));
  line.close();
}

story("A member's own view of a chat", (world) => {
  test.each([
    ["POST", "/chat/read"],
    ["PATCH", `/chat/settings/${nobody}`],
  ])("%s %s needs a session", async (method, path) => {
    expect(await requestJson(world.gateways()[0], method, path)).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("someone who is not a member cannot set anything, whether the chat exists or not", async () => {
    const { chatId } = await world.pair();
    const stranger = await world.person();
    for (const id of [chatId, nobody]) {
      expect(await read(stranger, id, 0)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expect(await settings(stranger, id, { muted: true })).toMatchObject({ status: 400 });
      expect(await settings(stranger, id, { pinned: true })).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    }
  });

  test("messages of others are unread until they are marked as read, and the read watermark never goes back", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 5);
    await fill(b, chatId, 1);
    expect(await viewOf(b, chatId)).toMatchObject({ unread: 5, readN: 0 });
    expect(await viewOf(a, chatId)).toMatchObject({ unread: 1 });
    expect((await b.get(`/chat/messages/${chatId}`)).body).toHaveLength(6);
    expect(await viewOf(b, chatId)).toMatchObject({ unread: 5 });
    expect(await read(b, chatId, 3)).toMatchObject({ status: 200, body: { chatId, readN: 3, unread: 2 } });
    expect((await read(b, chatId, 1)).body).toEqual({ chatId, readN: 3, unread: 2 });
    expect(await viewOf(b, chatId)).toMatchObject({ unread: 2, readN: 3 });
    expect((await read(b, chatId, 6)).body).toEqual({ chatId, readN: 6, unread: 0 });
    expect(await (await a.connect()).callOrThrow("markRead", { chatId, n: 6 })).toMatchObject({ readN: 6, unread: 0 });
  });

  test("a message lists its readers, the sender first", async () => {
    const { members, chatId } = await world.group(3);
    const [a, b, c] = members as [Person, Person, Person];
    await fill(b, chatId, 2);
    const readBy = async () =>
      (await a.get(`/chat/messages/${chatId}?after=1`)).body.map((message: Message) => [message.readBy, message.readCount]);
    expect(await readBy()).toEqual([
      [[b.id], 1],
      [[b.id], 1],
    ]);
    await read(c, chatId, 2);
    await read(b, chatId, 3);
    expect(await readBy()).toEqual([
      [[b.id, c.id], 2],
      [[b.id], 1],
    ]);
    await read(a, chatId, 3);
    expect(await readBy()).toEqual([
      [expect.arrayContaining([b.id, a.id, c.id]), 3],
      [[b.id, a.id], 2],
    ]);
  });

  test("the unread count stops at 100 and leaves out system messages", async () => {
    const { members, chatId } = await world.group(3);
    const [a, b] = members as [Person, Person, Person];
    await a.patch(`/chat/groups/${chatId}`, { name: "Renamed" });
    expect(await viewOf(b, chatId)).toMatchObject({ unread: 0, lastN: 2 });
    await fill(a, chatId, 120);
    expect(await viewOf(b, chatId)).toMatchObject({ unread: 100 });
    expect((await read(b, chatId, 42)).body).toMatchObject({ unread: 80 });
  });

  test("a read watermark that is beyond the last message, negative or not a whole number is refused and changes nothing", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 2);
    for (const n of [3, 1e9, Number.MAX_SAFE_INTEGER, 2 ** 60, -1, 1.5, "1", null, undefined, { $gt: 0 }, [1]]) {
      expect(await read(b, chatId, n)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    }
    expect(await viewOf(b, chatId)).toMatchObject({ readN: 0, unread: 2 });
  });

  test("the highest of concurrent read watermarks, sent through both gateways, is kept", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(a, chatId, 30);
    const devices = world.gateways().map((url) => b.at(url));
    const marks = Array.from({ length: 30 }, (_, i) => read(devices[i % devices.length]!, chatId, ((i * 7) % 30) + 1));
    for (const { status } of await Promise.all(marks)) expect(status).toBe(200);
    expect(await viewOf(b, chatId)).toMatchObject({ readN: 30, unread: 0 });
  });

  test("muted, archived and pinned are set for one member alone, whose other devices get the change", async () => {
    const { a, b, chatId } = await world.pair();
    const [otherDevice, otherMember] = [await a.at(world.gateways()[1]).connectAndSubscribe(), await b.connectAndSubscribe()];
    const mutedUntil = new Date(Date.now() + 3_600_000).toISOString();
    expect(await settings(a, chatId, { mutedUntil, pinned: true })).toMatchObject({
      status: 200,
      body: { _id: chatId, muted: true, mutedUntil, pinned: true, archived: false },
    });
    expect(await otherDevice.waitFor("chatChanged")).toMatchObject({ _id: chatId, muted: true, mutedUntil, pinned: true });
    expect((await settings(a, chatId, { archived: true })).body).toMatchObject({ muted: true, pinned: true, archived: true });
    expect((await settings(a, chatId, { mutedUntil: null, pinned: false })).body).toMatchObject({
      muted: false,
      mutedUntil: null,
      pinned: false,
    });
    expect((await settings(a, chatId, { mutedUntil: "2001-01-01T00:00:00Z" })).body).toMatchObject({ muted: false, mutedUntil: null });
    expect(await viewOf(b, chatId)).toMatchObject({ muted: false, mutedUntil: null, archived: false, pinned: false });
    await fill(a, chatId, 1);
    await otherMember.waitFor("receiveMessage");
    expect(otherMember.payloadsOf("chatChanged")).toEqual([]);
  });

  test("settings and reads of another device come with the next sync, even if the chat did not change", async () => {
    const { a, b, chatId } = await world.pair();
    await fill(b, chatId, 3);
    const since = (await a.post("/chat/sync", { since: {} })).body.seq;
    await settings(a, chatId, { pinned: true });
    await read(a, chatId, 2);
    const { own, chats, messages } = (await a.post("/chat/sync", { since })).body;
    expect({ chats, messages }).toEqual({ chats: [], messages: {} });
    expect(own).toEqual({ [chatId]: { readN: 2, muted: false, mutedUntil: null, archived: false, pinned: true } });
  });

  test("two settings changed concurrently are both kept, and one of the answers has both", async () => {
    const { a, chatId } = await world.pair();
    for (let round = 0; round < 10; round++) {
      const wanted = { pinned: round % 2 === 0, archived: round % 2 === 0 };
      const [second] = world.gateways().slice(-1);
      const answers = await Promise.all([
        settings(a, chatId, { pinned: wanted.pinned }),
        settings(a.at(second!), chatId, { archived: wanted.archived }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(answers.some(({ body }) => body.pinned === wanted.pinned && body.archived === wanted.archived)).toBe(true);
      expect(await viewOf(a, chatId)).toMatchObject(wanted);
    }
  });

  test("malformed settings are refused and change nothing", async () => {
    const { a, chatId } = await world.pair();
    for (const body of [
      {},
      { mutedUntil: "tomorrow" },
      { mutedUntil: "2030-02-31T00:00:00Z" },
      { mutedUntil: "2030-13-01T00:00:00Z" },
      { mutedUntil: 7 },
      { pinned: "yes" },
      { archived: null },
      { readN: 7 },
    ]) {
      expect(await settings(a, chatId, body)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    }
    expect(await viewOf(a, chatId)).toMatchObject({ muted: false, archived: false, pinned: false });
  });
});
