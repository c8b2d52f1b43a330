/** Life on a socket: who gets in, what is heard, what a send answers, and how a session ends. */
import { expect, test } from "@jest/globals";
import { settlesWithin, succeedsOnceInThree } from "../../support/attempts.ts";
import { connect, type TestSocket, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
/** Whatever the server sent to this socket before, it was heard once this is answered. */
const settled = (line: TestSocket) => line.call("sync", { since: {} });

story("Sockets", (world) => {
  test("without a valid credential nobody gets in", async () => {
    const [url] = world.gateways();
    for (const options of [
      {},
      { auth: { token: "nonsense" } },
      { auth: { token: { $gt: "" } } },
      { headers: { cookie: "token=nonsense" } },
      { headers: { cookie: "other=1" } },
    ]) {
      await expect(connect(url, options)).rejects.toThrow();
    }
  });

  test("the cookie, the token, and both paths lead in", async () => {
    const { token, url } = await world.person();
    for (const options of [{ auth: { token } }, { headers: { cookie: `token=${token}` } }, { auth: { token }, path: "/socket.io/" }]) {
      const line = await connect(url, options);
      expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
      line.close();
    }
  });

  test("a page of a foreign origin does not get in with the cookie; our own does", async () => {
    const { token, url } = await world.person();
    const cookie = `token=${token}`;
    await expect(connect(url, { headers: { cookie, origin: "https://evil.example" } })).rejects.toThrow();
    (await connect(url, { headers: { cookie, origin: url } })).close();
  });

  test.each(["joinChat", "leaveChat", "sendMessage"])("%s in a chat one is not in is FORBIDDEN, existing or not", async (event) => {
    const { chatId } = await world.pair();
    const line = await (await world.person()).connect();
    for (const id of [chatId, nobody]) {
      const answer = await line.call(event, { chatId: id, ...(event === "sendMessage" ? { text: "Let me in" } : {}) });
      expect(answer).toMatchObject({ ok: false, error: { code: "FORBIDDEN", message: expect.any(String) } });
    }
  });

  test("without a callback a failure comes as the event error, a string", async () => {
    const line = await (await world.person()).connect();
    line.socket.emit("joinChat", { chatId: nobody });
    expect(await line.waitFor("error")).toEqual(expect.any(String));
  });

  test("whoever joined hears each message once, the sender too; whoever left hears no more", async () => {
    const { a, b, chatId } = await world.pair();
    const [lineA, lineB, deaf] = await Promise.all([a.connect(), b.connect(), b.connect()]);
    expect(await lineA.callOrThrow("joinChat", { chatId })).toMatchObject({ _id: chatId, lastN: 0 });
    await lineB.callOrThrow("joinChat", { chatId });
    const sent = await lineA.callOrThrow("sendMessage", { chatId, text: "Hello", clientId: "c1" });
    expect(sent).toMatchObject({ n: 1, text: "Hello", senderId: a.id, clientId: "c1" });
    for (const line of [lineA, lineB]) expect(await line.waitFor("receiveMessage")).toEqual(sent);
    expect(await lineB.callOrThrow("leaveChat", { chatId })).toMatchObject({ _id: chatId });
    await lineA.callOrThrow("sendMessage", { chatId, text: "Anyone?" });
    await lineA.waitForCount("receiveMessage", 2);
    await settled(lineB);
    expect(lineB.payloadsOf("receiveMessage")).toHaveLength(1);
    expect(deaf.payloadsOf("receiveMessage")).toEqual([]);
  });

  test("whoever left a chat hears it again after subscribing again", async () => {
    const { a, b, chatId } = await world.pair();
    const [sender, line] = [await a.connect(), await b.connectAndSubscribe()];
    await line.callOrThrow("leaveChat", { chatId });
    const missed = await sender.callOrThrow("sendMessage", { chatId, text: "Anyone?" });
    await settled(line);
    expect(line.payloadsOf("receiveMessage")).toEqual([]);
    const { messages } = await line.callOrThrow("subscribe", { since: { [chatId]: missed.seq - 1 } });
    expect(messages[chatId]).toEqual([missed]);
    const heard = await sender.callOrThrow("sendMessage", { chatId, text: "There you are" });
    expect(await line.waitFor("receiveMessage")).toEqual(heard);
  });

  test("whoever subscribed hears all own chats, also those made later", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await b.connectAndSubscribe();
    await a.post("/chat/messages", { chatId, text: "one" });
    const newcomer = await world.person();
    await world.befriend(newcomer, b);
    const later = (await newcomer.post("/chat/create-direct", { receiverId: b.id })).body._id;
    await line.waitFor("chatChanged", ({ _id }) => _id === later);
    await newcomer.post("/chat/messages", { chatId: later, text: "two" });
    const heard = await line.waitForCount("receiveMessage", 2);
    expect(heard.map(({ chatId: id, text }) => [id, text])).toEqual([
      [chatId, "one"],
      [later, "two"],
    ]);
  });

  test("a message sent by HTTP is heard on sockets, one sent by socket is read by HTTP", async () => {
    const { a, b, chatId } = await world.pair();
    const line = await b.connectAndSubscribe();
    const sent = (await a.post("/chat/messages", { chatId, text: "by HTTP" })).body;
    expect(await line.waitFor("receiveMessage")).toEqual(sent);
    await line.callOrThrow("sendMessage", { chatId, text: "by socket" });
    expect((await a.get(`/chat/messages/${chatId}`)).body.map(({ text }: { text: string }) => text)).toEqual(["by HTTP", "by socket"]);
  });

  test("a clientId sent again answers the stored message and is heard once", async () => {
    const { a, b, chatId } = await world.pair();
    const [lineA, lineB] = await Promise.all([a.connectAndSubscribe(), b.connectAndSubscribe()]);
    const first = await lineA.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "key" });
    expect(await lineA.callOrThrow("sendMessage", { chatId, text: "Once", clientId: "key" })).toEqual(first);
    expect(await lineA.call("sendMessage", { chatId, text: "Twice", clientId: "key" })).toMatchObject({
      ok: false,
      error: { code: "CONFLICT" },
    });
    await lineA.callOrThrow("sendMessage", { chatId, text: "Last" });
    await lineB.waitFor("receiveMessage", ({ text }) => text === "Last");
    expect(lineB.payloadsOf("receiveMessage").map(({ text }) => text)).toEqual(["Once", "Last"]);
  });

  test("200 sends that nobody waited for are stored and heard in the order sent", async () => {
    const { a, b, chatId } = await world.pair();
    const [lineA, lineB] = await Promise.all([a.connectAndSubscribe(), b.connectAndSubscribe()]);
    const texts = numbers(200).map((i) => `message ${i}`);
    const answers = await Promise.all(texts.map((text) => lineA.callOrThrow("sendMessage", { chatId, text })));
    expect(answers.map(({ n }) => n)).toEqual(numbers(200));
    for (const line of [lineA, lineB]) {
      const heard = await line.waitForCount("receiveMessage", 200);
      expect(heard.map(({ text }) => text)).toEqual(texts);
      expect(heard.map(({ n }) => n)).toEqual(numbers(200));
    }
    expect((await b.get(`/chat/messages/${chatId}?limit=200`)).body.map(({ text }: { text: string }) => text)).toEqual(texts);
  });

  test("two who write at once are heard by everybody in one order", async () => {
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

  test("an unknown event answers NOT_FOUND", async () => {
    const line = await (await world.person()).connect();
    for (const event of ["auth.accounts", "call", "$node.list", "toString", "__proto__"]) {
      expect(await line.call(event, {})).toMatchObject({ ok: false, error: { code: "NOT_FOUND" } });
    }
  });

  test("the inviter hears the answer, the invited the invite", async () => {
    const [a, b] = await world.people(2);
    const [lineA, lineB] = await Promise.all([a.connect(), b.connect()]);
    const { _id } = (await a.post("/request/invite/send", { toEmail: b.emailId })).body.data;
    expect(await lineB.waitFor("requestReceived")).toMatchObject({ _id, status: "pending" });
    await b.patch(`/request/respond/${_id}`, { status: "rejected" });
    expect(await lineA.waitFor("requestAnswered")).toMatchObject({ _id, status: "rejected" });
  });

  test("log-out cuts every socket of the session within a second, and no other's", async () => {
    await succeedsOnceInThree("the sockets are cut within a second", async () => {
      const { a, b } = await world.pair();
      const [first, second] = world.gateways();
      const lines = await Promise.all([first, second].map((url) => a.at(url).connect()));
      const otherSession: Person = a.at(first);
      await otherSession.logIn();
      const kept = [await otherSession.connect(), await b.connect()];
      expect((await a.post("/auth/logout")).status).toBe(200);
      const areCutInTime = await settlesWithin(1000, Promise.all(lines.map((line) => line.waitFor("disconnect"))));
      for (const line of lines) expect(line.payloadsOf("sessionEnded")).toEqual([{ reason: "loggedOut" }]);
      for (const line of kept) {
        expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
        line.close();
      }
      return areCutInTime;
    });
  });
});
