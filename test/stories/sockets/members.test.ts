/** Members who are added, removed or leave while their sockets are open: each is notified once, in the chat's order, and receives what they may see. */
import { expect, test } from "@jest/globals";
import type { Message } from "../../../services/chat/contract.ts";
import { known } from "../../support/people/legacy-client.ts";
import type { Person, TestSocket } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

/** Once this is answered, the socket has received everything that the server sent to it before. */
const receiveAll = (line: TestSocket) => line.callOrThrow("sync", { since: {} });

story("Members on sockets", (world) => {
  /** A group, and a contact of its admin who is not a member. */
  async function groupAndContact() {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person];
    const contact = await world.person();
    await world.befriend(admin, contact);
    const add = async () => expect((await admin.put("/chat/add-to-group", { chatId, userIdToAdd: contact.id })).status).toBe(200);
    const remove = async () =>
      expect((await admin.put("/chat/remove-from-group", { chatId, userIdToRemove: contact.id })).status).toBe(200);
    const send = async (text: string) => (await admin.post("/chat/messages", { chatId, text })).body as { n: number };
    return { admin, member, contact, chatId, add, remove, send };
  }
  /** What a socket received of a chat: texts, system events, and the names of other events. */
  function received(line: TestSocket, chatId: string): string[] {
    return line.received.flatMap(({ event, data }) => {
      if ((data?.chatId ?? data?._id) !== chatId) return [];
      if (event === "receiveMessage") return [data.system?.event ?? data.text];
      return event === "chatChanged" || event === "chatRemoved" ? [event] : [];
    });
  }

  test("a new member is notified of the chat once, then receives it from the system message on; older messages never change for them", async () => {
    const { contact, member, chatId, add, send } = await groupAndContact();
    const lines = [
      await contact.at(world.gateways()[0]).connectAndSubscribe(),
      await contact.at(world.gateways()[1]).connectAndSubscribe(),
    ];
    const observer = await member.connectAndSubscribe();
    await send("Before");
    const old = (await member.get(`/chat/messages/${chatId}`)).body.at(-1);
    await add();
    await member.put(`/chat/messages/${old._id}/reactions/${encodeURIComponent("👍")}`);
    // The room reads the chat again before it emits this, which may be after the next message.
    await observer.waitFor("chatChanged");
    await send("After");
    for (const line of [...lines, observer]) await line.waitFor("receiveMessage", ({ text }) => text === "After");
    await observer.waitFor("messageChanged");
    for (const line of lines) {
      await receiveAll(line);
      expect(received(line, chatId)).toEqual(["chatChanged", "added", "After"]);
      expect(line.payloadsOf("chatChanged")[0]).toMatchObject({ _id: chatId, title: "A group", unread: 0 });
      expect(line.payloadsOf("messageChanged")).toEqual([]);
    }
    expect(received(observer, chatId)).toEqual(["Before", "added", "chatChanged", "After"]);
    const [shared] = observer.payloadsOf("chatChanged");
    expect(shared).toMatchObject({ memberCount: 4, participants: expect.arrayContaining([contact.id]) });
    for (const personal of ["title", "unread", "muted", "archived", "pinned"]) expect(shared).not.toHaveProperty(personal);
  });

  test("a removed member is notified once on every socket, subscribed or not, and receives nothing more", async () => {
    const { contact, chatId, add, remove, send } = await groupAndContact();
    await add();
    const [subscribed, joined, silent, left] = await Promise.all([
      contact.connectAndSubscribe(),
      contact.connect(),
      contact.connect(),
      contact.connectAndSubscribe(),
    ]);
    await joined.callOrThrow("joinChat", { chatId });
    await left.callOrThrow("leaveChat", { chatId });
    await send("Before");
    await remove();
    await send("After");
    for (const line of [subscribed, joined, silent, left]) {
      await line.waitFor("chatRemoved");
      await receiveAll(line);
    }
    expect(received(subscribed, chatId)).toEqual(["Before", "chatRemoved"]);
    expect(received(joined, chatId)).toEqual(["Before", "chatRemoved"]);
    expect(received(silent, chatId)).toEqual(["chatRemoved"]);
    expect(received(left, chatId)).toEqual(["chatRemoved"]);
    expect(subscribed.payloadsOf("chatRemoved")).toEqual([{ chatId }]);
    expect(await joined.call("joinChat", { chatId })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
  });

  test("a member who was removed and one who left get chatRemoved and no later message, and cannot join again", async () => {
    const { members, chatId } = await world.group(4);
    const [founder, removed, left, staying] = members as [Person, Person, Person, Person];
    const [removedLine, leftLine, stayingLine] = await Promise.all([removed.connect(), left.connect(), staying.connect()]);
    for (const line of [removedLine, leftLine, stayingLine]) await line.callOrThrow("joinChat", { chatId });
    const send = (text: string) => founder.post("/chat/messages", { chatId, text });
    await send("To four");
    await founder.put("/chat/remove-from-group", { chatId, userIdToRemove: removed.id });
    await left.put("/chat/leave-group", { chatId });
    for (const line of [removedLine, leftLine]) await line.waitFor("chatRemoved", (data) => data.chatId === chatId);
    await send("To two");
    await stayingLine.waitFor("receiveMessage", ({ text }) => text === "To two");
    for (const line of [removedLine, leftLine]) {
      await receiveAll(line);
      const texts = line.payloadsOf("receiveMessage").map(({ text }) => text);
      expect(texts).toContain("To four");
      expect(texts).not.toContain("To two");
      expect(await line.call("joinChat", { chatId })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
  });

  test("a member who is removed and added again is notified of both, and receives nothing from the time between", async () => {
    const { contact, chatId, add, remove, send } = await groupAndContact();
    await add();
    const [subscribed, joined] = [
      await contact.at(world.gateways()[0]).connectAndSubscribe(),
      await contact.at(world.gateways()[1]).connect(),
    ];
    await joined.callOrThrow("joinChat", { chatId });
    for (let round = 1; round <= 5; round++) {
      await send(`Before ${round}`);
      // In odd rounds each event arrives before the next change; in even rounds they race. After round 1 `joined` receives no messages.
      const isCalm = round % 2 === 1;
      const receiving = round === 1 ? [subscribed, joined] : [subscribed];
      if (isCalm) for (const line of receiving) await line.waitFor("receiveMessage", ({ text }) => text === `Before ${round}`);
      await remove();
      if (isCalm) for (const line of [subscribed, joined]) await line.waitForCount("chatRemoved", round);
      await send(`Between ${round}`);
      await add();
      await send(`After ${round}`);
      await subscribed.waitFor("receiveMessage", ({ text }) => text === `After ${round}`);
      await joined.waitForCount("chatChanged", round);
      if (round > 1) continue;
      // A socket that is not subscribed is notified of the chat, and decides itself whether to join it.
      await receiveAll(joined);
      expect(received(joined, chatId)).toEqual(["Before 1", "chatRemoved", "chatChanged"]);
    }
    await receiveAll(subscribed);
    const rounds = [1, 2, 3, 4, 5].flatMap((i) => [`Before ${i}`, "chatRemoved", "chatChanged", "added", `After ${i}`]);
    expect(received(subscribed, chatId)).toEqual(rounds);
  });

  test("after concurrent additions and removals over both gateways, all sockets agree with the store", async () => {
    const { admin, contact, chatId } = await groupAndContact();
    const lines = await Promise.all(world.gateways().map((url) => contact.at(url).connectAndSubscribe()));
    const changes = Array.from({ length: 20 }, (_, i) => {
      const at = admin.at(world.gateways()[i % 2]!);
      return i % 2 === 0
        ? at.put("/chat/add-to-group", { chatId, userIdToAdd: contact.id })
        : at.put("/chat/remove-from-group", { chatId, userIdToRemove: contact.id });
    });
    for (const { status } of await Promise.all(changes)) expect([200, 400]).toContain(status);
    await admin.put("/chat/add-to-group", { chatId, userIdToAdd: contact.id });
    await admin.post("/chat/messages", { chatId, text: "The end" });
    const visible = (await contact.get(`/chat/messages/${chatId}`)).body.map(({ n }: { n: number }) => n);
    for (const line of lines) {
      await line.waitFor("receiveMessage", ({ text }) => text === "The end");
      await receiveAll(line);
      const notified = line.received.filter(({ event, data }) => event === "chatRemoved" || (event === "chatChanged" && "unread" in data));
      // They alternate, and both the first and the last event say that the user is a member.
      expect(notified.map(({ event }) => event)).toEqual(notified.map((_, i) => (i % 2 === 0 ? "chatChanged" : "chatRemoved")));
      expect(notified.length % 2).toBe(1);
      const since = line.received.lastIndexOf(notified.at(-1)!);
      const messages = line.received.slice(since).filter(({ event }) => event === "receiveMessage");
      expect(messages.map(({ data }) => data.n)).toEqual(visible);
    }
  });

  test("a member who leaves is notified on all sockets; the others receive the system message in order", async () => {
    const { member, admin, chatId, send } = await groupAndContact();
    const [line, observer] = [await member.connectAndSubscribe(), await admin.connectAndSubscribe()];
    await send("Stay");
    const answer = await member.put("/chat/leave-group", { chatId });
    expect(answer).toMatchObject({
      status: 200,
      body: { message: expect.any(String), chat: known("chat", { _id: chatId, chatType: "group", memberCount: 2 }) },
    });
    expect(answer.body.chat.participants).not.toContain(member.id);
    await observer.waitFor("chatChanged");
    await send("Gone");
    await line.waitFor("chatRemoved");
    await observer.waitFor("receiveMessage", ({ text }) => text === "Gone");
    await receiveAll(line);
    expect(received(line, chatId)).toEqual(["Stay", "chatRemoved"]);
    expect(received(observer, chatId)).toEqual(["Stay", "left", "chatChanged", "Gone"]);
  });

  test("sockets have the same rights to change a message as HTTP, and all members receive the change", async () => {
    const { admin, member, contact, chatId, send } = await groupAndContact();
    await send("First");
    const { _id: messageId } = (await admin.get(`/chat/messages/${chatId}`)).body.at(-1);
    const [author, other, stranger] = await Promise.all([admin.connect(), member.connectAndSubscribe(), contact.connect()]);
    const changes = [
      ["editMessage", { messageId, text: "Second" }],
      ["react", { messageId, emoji: "👍", on: true }],
      ["deleteMessage", { messageId }],
    ] as const;
    for (const [event, payload] of changes) {
      expect(await stranger.call(event, payload)).toMatchObject({ ok: false, error: { code: "NOT_FOUND" } });
    }
    for (const [event, payload] of changes.filter(([event]) => event !== "react")) {
      expect(await other.call(event, payload)).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
    for (const [event, payload] of changes) {
      const message = await author.callOrThrow(event, payload);
      expect(message).toMatchObject({ _id: messageId });
      expect(await other.waitFor("messageChanged", ({ seq }) => seq === message.seq)).toEqual(message);
    }
  });

  test("of 200 removals that race with sends, the removed member receives exactly the messages before each", async () => {
    const rounds = 200;
    const sendsPerSender = 4;
    const { members, chatId } = await world.group(3);
    const [admin, other, target] = members as [Person, Person, Person];
    const [near, far] = world.gateways();
    const senders = [await admin.at(near).connect(), await other.at(far).connect()];
    const lines = [await target.at(near).connectAndSubscribe(), await target.at(far).connectAndSubscribe()];
    const counts = { missed: 0, tooLate: 0, outOfOrder: 0, received: 0 };

    // The group's first message is older than the sockets.
    for (let round = 1, n = 1; round <= rounds; round++) {
      const from = lines.map((line) => line.received.length);
      const sending = senders.flatMap((sender, s) =>
        Array.from({ length: sendsPerSender }, (_, i) => sender.callOrThrow("sendMessage", { chatId, text: `${round} ${s} ${i}` })),
      );
      const removing = admin.put("/chat/remove-from-group", { chatId, userIdToRemove: target.id });
      expect((await removing).status).toBe(200);
      await Promise.all(sending);
      for (const line of lines) await line.waitForCount("chatRemoved", round);

      const stored = await historyAfter(admin, chatId, n);
      const removal = stored.findLast(({ system }) => system?.event === "removed")!;
      const expected = stored.filter(({ seq }) => seq < removal.seq).map(({ seq }) => seq);
      lines.forEach((line, index) => {
        const events = line.received.slice(from[index]).filter(({ event }) => event === "receiveMessage" || event === "chatRemoved");
        const end = events.findIndex(({ event }) => event === "chatRemoved");
        const seqs = events.slice(0, end).map(({ data }) => data.seq as number);
        counts.received += seqs.length;
        counts.missed += expected.filter((seq) => !seqs.includes(seq)).length;
        counts.tooLate += seqs.filter((seq) => seq >= removal.seq).length + events.slice(end + 1).length;
        counts.outOfOrder += seqs.filter((seq, i) => i > 0 && seq <= seqs[i - 1]!).length;
      });

      n = stored.at(-1)!.n + 1;
      expect((await admin.put("/chat/add-to-group", { chatId, userIdToAdd: target.id })).status).toBe(200);
      for (const line of lines) await line.waitForCount("chatChanged", round);
      for (const line of lines) await line.waitFor("receiveMessage", (message) => message.n === n);
    }
    process.stderr.write(`${rounds} removals that raced with sends: ${JSON.stringify(counts)}\n`);
    expect(counts).toEqual({ missed: 0, tooLate: 0, outOfOrder: 0, received: expect.any(Number) });
  });
});

async function historyAfter(user: Person, chatId: string, n: number): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { body } = await user.get(`/chat/messages/${chatId}?limit=200&after=${all.at(-1)?.n ?? n}`);
    if (body.length === 0) return all;
    all.push(...body);
  }
}
