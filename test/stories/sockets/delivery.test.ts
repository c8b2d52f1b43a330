/** Live delivery on sockets: which sockets receive a message, in which order, and how sends are answered. */
import { describe, expect, test } from "@jest/globals";
import { inParallel } from "../../support/concurrent.ts";
import { known, nobody } from "../../support/people/legacy-client.ts";
import { connect, type Person, type TestSocket } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
/** Once this is answered, the socket has received everything that the server sent to it before. */
const receiveAll = (line: TestSocket) => line.call("sync", { since: {} });

story("Live delivery", (world) => {
  test.each(["joinChat", "leaveChat", "sendMessage"])(
    "%s is FORBIDDEN in a chat of others, as in one that does not exist",
    async (event) => {
      const { chatId } = await world.pair();
      const line = await (await world.person()).connect();
      for (const id of [chatId, nobody]) {
        const answer = await line.call(event, { chatId: id, ...(event === "sendMessage" ? { text: "Let me in" } : {}) });
        expect(answer).toMatchObject({ ok: false, error: { code: "FORBIDDEN", message: expect.any(String) } });
      }
    },
  );

  test("an event that fails without an acknowledgement is answered with the event error, a string", async () => {
    const { a, chatId } = await world.pair();
    const line = await (await world.person()).connect();
    for (const id of [chatId, nobody]) line.socket.emit("joinChat", { chatId: id });
    line.socket.emit("sendMessage", { chatId: nobody, text: "No acknowledgement" });
    for (const error of await line.waitForCount("error", 3)) expect(error).toEqual(expect.any(String));
    await a.post("/chat/messages", { chatId, text: "Between us" });
    await receiveAll(line);
    expect(line.received.map(({ event }) => event)).toEqual(["error", "error", "error"]);
  });

  test("sockets that joined receive each message once, the sender too; sockets that left receive no more", async () => {
    const { a, b, chatId } = await world.pair();
    const [lineA, lineB, notJoined] = await Promise.all([a.connect(), b.connect(), b.connect()]);
    expect(await lineA.callOrThrow("joinChat", { chatId })).toMatchObject({ _id: chatId, lastN: 0 });
    await lineB.callOrThrow("joinChat", { chatId });
    const sent = await lineA.callOrThrow("sendMessage", { chatId, text: "Hello", clientId: "c1" });
    expect(sent).toMatchObject({ n: 1, text: "Hello", senderId: a.id, clientId: "c1" });
    for (const line of [lineA, lineB]) expect(await line.waitFor("receiveMessage")).toEqual(sent);
    expect(await lineB.callOrThrow("leaveChat", { chatId })).toMatchObject({ _id: chatId });
    await lineA.callOrThrow("sendMessage", { chatId, text: "Anyone?" });
    await lineA.waitForCount("receiveMessage", 2);
    await receiveAll(lineB);
    expect(lineB.payloadsOf("receiveMessage")).toHaveLength(1);
    expect(notJoined.payloadsOf("receiveMessage")).toEqual([]);
  });

  test("a socket that left a chat receives it again after it subscribes again", async () => {
    const { a, b, chatId } = await world.pair();
    const [sender, line] = [await a.connect(), await b.connectAndSubscribe()];
    await line.callOrThrow("leaveChat", { chatId });
    const missed = await sender.callOrThrow("sendMessage", { chatId, text: "Anyone?" });
    await receiveAll(line);
    expect(line.payloadsOf("receiveMessage")).toEqual([]);
    const { messages } = await line.callOrThrow("subscribe", { since: { [chatId]: missed.seq - 1 } });
    expect(messages[chatId]).toEqual([missed]);
    const next = await sender.callOrThrow("sendMessage", { chatId, text: "There you are" });
    expect(await line.waitFor("receiveMessage")).toEqual(next);
  });

  test("a subscribed socket receives all its user's chats, also those created later", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await b.connectAndSubscribe();
    await a.post("/chat/messages", { chatId, text: "one" });
    const newcomer = await world.person();
    await world.befriend(newcomer, b);
    const later = (await newcomer.post("/chat/create-direct", { receiverId: b.id })).body._id;
    await line.waitFor("chatChanged", ({ _id }) => _id === later);
    await newcomer.post("/chat/messages", { chatId: later, text: "two" });
    const received = await line.waitForCount("receiveMessage", 2);
    expect(received.map(({ chatId: id, text }) => [id, text])).toEqual([
      [chatId, "one"],
      [later, "two"],
    ]);
  });

  test("sockets receive messages sent over HTTP, and HTTP reads messages sent by socket", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await b.connectAndSubscribe();
    const sent = (await a.post("/chat/messages", { chatId, text: "by HTTP" })).body;
    expect(await line.waitFor("receiveMessage")).toEqual(sent);
    await line.callOrThrow("sendMessage", { chatId, text: "by socket" });
    expect((await a.get(`/chat/messages/${chatId}`)).body.map(({ text }: { text: string }) => text)).toEqual(["by HTTP", "by socket"]);
  });

  test("a send answers the stored message, and a repeat with the same clientId answers it again and delivers it once", async () => {
    const { a, b, chatId } = await world.pair();
    const [lineA, lineB] = await Promise.all([a.connectAndSubscribe(), b.connectAndSubscribe()]);
    const stored = await lineA.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "key" });
    expect(stored).toMatchObject({ n: 1, text: "Once", clientId: "key" });
    expect(await lineA.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "key" })).toEqual(stored);
    expect((await a.post("/chat/messages", { chatId, text: "Once", clientId: "key" })).body).toEqual(stored);
    for (const [payload, code] of [
      [{ chatId, text: "Twice", clientId: "key" }, "CONFLICT"],
      [{ chatId, text: "" }, "VALIDATION"],
    ] as const) {
      expect(await lineA.call("sendMessage", payload)).toMatchObject({ ok: false, error: { code, message: expect.any(String) } });
    }
    await lineA.callOrThrow("sendMessage", { chatId, text: "Last" });
    await lineB.waitFor("receiveMessage", ({ text }) => text === "Last");
    expect(lineB.payloadsOf("receiveMessage").map(({ text }) => text)).toEqual(["Once", "Last"]);
  });

  test("200 concurrent sends with one clientId, over both gateways, are one message, delivered once", async () => {
    const { a, b, chatId } = await world.pair();
    const lines = await Promise.all(world.gateways().map((url) => a.at(url).connect()));
    const reader = await b.connectAndSubscribe();
    const stored = await inParallel(200, (i) => lines[i % 2]!.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "key" }));
    expect(new Set(stored.map(({ _id }) => _id)).size).toBe(1);
    await a.post("/chat/messages", { chatId, text: "Last" });
    await reader.waitFor("receiveMessage", ({ text }) => text === "Last");
    expect(reader.payloadsOf("receiveMessage").map(({ n, text }) => [n, text])).toEqual([
      [1, "Once"],
      [2, "Last"],
    ]);
    for (const line of lines) line.close();
  });

  test("200 sends without waiting for answers are stored and delivered in the order sent", async () => {
    const { a, b, chatId } = await world.pair();
    const [lineA, lineB] = await Promise.all([a.connectAndSubscribe(), b.connectAndSubscribe()]);
    const texts = numbers(200).map((i) => `message ${i}`);
    const answers = await Promise.all(texts.map((text) => lineA.callOrThrow("sendMessage", { chatId, text })));
    expect(answers.map(({ n }) => n)).toEqual(numbers(200));
    for (const line of [lineA, lineB]) {
      const received = await line.waitForCount("receiveMessage", 200);
      expect(received.map(({ text }) => text)).toEqual(texts);
      expect(received.map(({ n }) => n)).toEqual(numbers(200));
    }
    expect((await b.get(`/chat/messages/${chatId}?limit=200`)).body.map(({ text }: { text: string }) => text)).toEqual(texts);
  });

  test("messages of two concurrent senders reach all sockets in one order", async () => {
    const { a, b, chatId } = await world.pair();
    const writers = await Promise.all([a.connectAndSubscribe(), b.connectAndSubscribe()]);
    const reader = await b.at(world.gateways()[0]).connectAndSubscribe();
    const lines = [...writers, reader];
    await Promise.all(writers.flatMap((line) => numbers(50).map((i) => line.callOrThrow("sendMessage", { chatId, text: `${i}` }))));
    const orders = await Promise.all(lines.map(async (line) => (await line.waitForCount("receiveMessage", 100)).map(({ _id }) => _id)));
    expect(orders[1]).toEqual(orders[0]);
    expect(orders[2]).toEqual(orders[0]);
    reader.close();
  });

  test("the invited user receives the invite, and the sender receives the answer", async () => {
    const [a, b] = await world.people(2);
    const [lineA, lineB] = await Promise.all([a.connect(), b.connect()]);
    const { _id } = (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data;
    expect(await lineB.waitFor("requestReceived")).toMatchObject({ _id, status: "pending" });
    await b.patch(`/request/respond/${_id}`, { status: "rejected" });
    expect(await lineA.waitFor("requestAnswered")).toMatchObject({ _id, status: "rejected" });
  });

  test("both gateways deliver what either accepts, and both refuse a send once the contact has ended", async () => {
    const { a, b, chatId } = await world.pair();
    const [first, second] = world.gateways();
    const readers = await Promise.all([first, second].map((url) => b.at(url).connect()));
    for (const line of readers) await line.callOrThrow("joinChat", { chatId });
    const writers = await Promise.all([first, second].map((url) => a.at(url).connect()));
    for (const [i, writer] of writers.entries()) await writer.callOrThrow("sendMessage", { chatId, text: `by gateway ${i}` });
    for (const line of readers) {
      expect((await line.waitForCount("receiveMessage", 2)).map(({ text }) => text)).toEqual(["by gateway 0", "by gateway 1"]);
    }
    expect((await b.delete(`/request/connections/${a.id}`)).status).toBe(200);
    for (const writer of writers) {
      expect(await writer.call("sendMessage", { chatId, text: "Still?" })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
    for (const line of [...readers, ...writers]) line.close();
  });

  test("a chat id in upper case or with white space is malformed, over sockets and HTTP", async () => {
    const { a, chatId } = await world.pair();
    const line = await a.connect();
    // An id of digits only has no upper case.
    const spellings = [chatId.toUpperCase(), ` ${chatId}`, `${chatId}\n`].filter((spelling) => spelling !== chatId);
    for (const spelling of spellings) {
      const refused = { ok: false, error: { code: "VALIDATION" } };
      expect(await line.call("joinChat", { chatId: spelling })).toMatchObject(refused);
      expect(await line.call("sendMessage", { chatId: spelling, text: "Hello" })).toMatchObject(refused);
      expect((await a.get(`/chat/messages/${encodeURIComponent(spelling)}`)).status).toBe(400);
    }
  });

  describe("as PingTalk's clients use it: with the cookie, joinChat and sendMessage, without acknowledgements", () => {
    const connectWithCookie = ({ url, token }: Person): Promise<TestSocket> => connect(url, { headers: { cookie: `token=${token}` } });
    /** The events received, except the note of the new chat: on a busy machine it arrives after the socket has connected. */
    const events = ({ received }: TestSocket): string[] => received.map(({ event }) => event).filter((event) => event !== "chatChanged");
    async function join(line: TestSocket, chatId: string): Promise<void> {
      line.socket.emit("joinChat", { chatId });
      await receiveAll(line);
    }

    test("joinChat emits nothing when it succeeds", async () => {
      const { a, chatId } = await world.pair();
      const line = await connectWithCookie(a);
      await join(line, chatId);
      expect(events(line)).toEqual([]);
      line.close();
    });

    test("sockets that joined receive a sent message as receiveMessage, the sender too, and no others do", async () => {
      const { a, b, chatId } = await world.pair();
      const [sender, reader, notJoined] = await Promise.all([connectWithCookie(a), connectWithCookie(b), connectWithCookie(b)]);
      for (const line of [sender, reader]) await join(line, chatId);
      sender.socket.emit("sendMessage", { chatId, text: " Hello " });
      const [message] = (await sender.waitForCount("receiveMessage", 1)) as [object];
      expect(message).toMatchObject(known("message", { chatId, senderId: a.id, text: " Hello ", readBy: [a.id] }));
      expect(await reader.waitFor("receiveMessage")).toEqual(message);
      expect((await b.get(`/chat/messages/${chatId}`)).body).toEqual([message]);
      await receiveAll(notJoined);
      expect(events(notJoined)).toEqual([]);
      for (const line of [sender, reader, notJoined]) line.close();
    });

    test("sendMessage needs no joinChat before", async () => {
      const { a, b, chatId } = await world.pair();
      const [sender, reader] = await Promise.all([connectWithCookie(a), connectWithCookie(b)]);
      await join(reader, chatId);
      sender.socket.emit("sendMessage", { chatId, text: "From outside" });
      expect(await reader.waitFor("receiveMessage")).toMatchObject({ senderId: a.id, text: "From outside" });
      await receiveAll(sender);
      expect(events(sender)).toEqual([]);
      for (const line of [sender, reader]) line.close();
    });

    test("a send to a chat of others emits error, a string, and stores nothing", async () => {
      const { a, chatId } = await world.pair();
      const line = await connectWithCookie(await world.person());
      line.socket.emit("sendMessage", { chatId, text: "Let me in" });
      expect(await line.waitFor("error")).toEqual(expect.any(String));
      expect((await a.get(`/chat/messages/${chatId}`)).body).toEqual([]);
      line.close();
    });

    test.each([
      ["no text", {}],
      ["an empty text", { text: "" }],
      ["an object as its text", { text: { $ne: "" } }],
    ])("a send with %s emits error, a string, and stores nothing", async (_what, payload) => {
      const { a, chatId } = await world.pair();
      const line = await connectWithCookie(a);
      line.socket.emit("sendMessage", { chatId, ...payload });
      expect(await line.waitFor("error")).toEqual(expect.any(String));
      expect((await a.get(`/chat/messages/${chatId}`)).body).toEqual([]);
      line.close();
    });
  });
});
