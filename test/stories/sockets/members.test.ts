/** Members come and go while sockets are open: each is told once, in the chat's own order, and hears what is theirs to hear. */
import { expect, test } from "@jest/globals";
import type { TestSocket, Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

/** Whatever the server sent to this socket before, it was heard once this is answered. */
const settled = (line: TestSocket) => line.callOrThrow("sync", { since: {} });

story("Members who come and go", (world) => {
  /** A group of its admin and one more, and a contact who is not in it. */
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
  /** What a socket was told of a chat, in short. */
  function story(line: TestSocket, chatId: string): string[] {
    return line.received.flatMap(({ event, data }) => {
      if ((data?.chatId ?? data?._id) !== chatId) return [];
      if (event === "receiveMessage") return [data.system?.event ?? data.text];
      return event === "chatChanged" || event === "chatRemoved" ? [event] : [];
    });
  }

  test("a newcomer is told of the chat once, then hears it from the message that says so; nothing older changes for them", async () => {
    const { contact, member, chatId, add, send } = await groupAndContact();
    const lines = [
      await contact.at(world.gateways()[0]).connectAndSubscribe(),
      await contact.at(world.gateways()[1]).connectAndSubscribe(),
    ];
    const ears = await member.connectAndSubscribe();
    await send("Before");
    const old = (await member.get(`/chat/messages/${chatId}`)).body.at(-1);
    await add();
    await member.put(`/chat/messages/${old._id}/reactions/${encodeURIComponent("👍")}`);
    // It is told after an extra read, perhaps only after the next message.
    await ears.waitFor("chatChanged");
    await send("After");
    for (const line of [...lines, ears]) await line.waitFor("receiveMessage", ({ text }) => text === "After");
    await ears.waitFor("messageChanged");
    for (const line of lines) {
      await settled(line);
      expect(story(line, chatId)).toEqual(["chatChanged", "added", "After"]);
      expect(line.payloadsOf("chatChanged")[0]).toMatchObject({ _id: chatId, title: "A group", unread: 0 });
      expect(line.payloadsOf("messageChanged")).toEqual([]);
    }
    expect(story(ears, chatId)).toEqual(["Before", "added", "chatChanged", "After"]);
    const [shared] = ears.payloadsOf("chatChanged");
    expect(shared).toMatchObject({ memberCount: 4, participants: expect.arrayContaining([contact.id]) });
    for (const own of ["title", "unread", "muted", "archived", "pinned"]) expect(shared).not.toHaveProperty(own);
  });

  test("who is removed is told once on every socket, whatever it hears, and hears nothing more", async () => {
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
      await settled(line);
    }
    expect(story(subscribed, chatId)).toEqual(["Before", "chatRemoved"]);
    expect(story(joined, chatId)).toEqual(["Before", "chatRemoved"]);
    expect(story(silent, chatId)).toEqual(["chatRemoved"]);
    expect(story(left, chatId)).toEqual(["chatRemoved"]);
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
      await settled(line);
      const texts = line.payloadsOf("receiveMessage").map(({ text }) => text);
      expect(texts).toContain("To four");
      expect(texts).not.toContain("To two");
      expect(await line.call("joinChat", { chatId })).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
  });

  test("who is removed and added again hears the end, the new beginning, and nothing in between", async () => {
    const { contact, chatId, add, remove, send } = await groupAndContact();
    await add();
    const [subscribed, joined] = [
      await contact.at(world.gateways()[0]).connectAndSubscribe(),
      await contact.at(world.gateways()[1]).connect(),
    ];
    await joined.callOrThrow("joinChat", { chatId });
    for (let round = 1; round <= 5; round++) {
      await send(`Before ${round}`);
      // In odd rounds one is heard before the next is done; in even ones they race. Later than the first, `joined` hears no messages.
      const isCalm = round % 2 === 1;
      const hearing = round === 1 ? [subscribed, joined] : [subscribed];
      if (isCalm) for (const line of hearing) await line.waitFor("receiveMessage", ({ text }) => text === `Before ${round}`);
      await remove();
      if (isCalm) for (const line of [subscribed, joined]) await line.waitForCount("chatRemoved", round);
      await send(`Between ${round}`);
      await add();
      await send(`After ${round}`);
      await subscribed.waitFor("receiveMessage", ({ text }) => text === `After ${round}`);
      await joined.waitForCount("chatChanged", round);
      if (round > 1) continue;
      // Not subscribed, it is told of the chat and asks itself whether to hear it.
      await settled(joined);
      expect(story(joined, chatId)).toEqual(["Before 1", "chatRemoved", "chatChanged"]);
    }
    await settled(subscribed);
    const rounds = [1, 2, 3, 4, 5].flatMap((i) => [`Before ${i}`, "chatRemoved", "chatChanged", "added", `After ${i}`]);
    expect(story(subscribed, chatId)).toEqual(rounds);
  });

  test("added and removed at once, again and again over both gateways, everybody ends where the store is", async () => {
    const { admin, contact, chatId } = await groupAndContact();
    const lines = await Promise.all(world.gateways().map((url) => contact.at(url).connectAndSubscribe()));
    const acts = Array.from({ length: 20 }, (_, i) => {
      const at = admin.at(world.gateways()[i % 2]!);
      return i % 2 === 0
        ? at.put("/chat/add-to-group", { chatId, userIdToAdd: contact.id })
        : at.put("/chat/remove-from-group", { chatId, userIdToRemove: contact.id });
    });
    for (const { status } of await Promise.all(acts)) expect([200, 400]).toContain(status);
    await admin.put("/chat/add-to-group", { chatId, userIdToAdd: contact.id });
    await admin.post("/chat/messages", { chatId, text: "The end" });
    const visible = (await contact.get(`/chat/messages/${chatId}`)).body.map(({ n }: { n: number }) => n);
    for (const line of lines) {
      await line.waitFor("receiveMessage", ({ text }) => text === "The end");
      await settled(line);
      const told = line.received.filter(({ event, data }) => event === "chatRemoved" || (event === "chatChanged" && "unread" in data));
      // In turn, beginning and ending with the chat there.
      expect(told.map(({ event }) => event)).toEqual(told.map((_, i) => (i % 2 === 0 ? "chatChanged" : "chatRemoved")));
      expect(told.length % 2).toBe(1);
      const since = line.received.lastIndexOf(told.at(-1)!);
      const heard = line.received.slice(since).filter(({ event }) => event === "receiveMessage");
      expect(heard.map(({ data }) => data.n)).toEqual(visible);
    }
  });

  test("who leaves is told on all sockets; the others hear it in its place", async () => {
    const { member, admin, chatId, send } = await groupAndContact();
    const [line, ears] = [await member.connectAndSubscribe(), await admin.connectAndSubscribe()];
    await send("Stay");
    const answer = await member.put("/chat/leave-group", { chatId });
    expect(answer).toMatchObject({ status: 200, body: { message: expect.any(String), chat: { _id: chatId, memberCount: 2 } } });
    await ears.waitFor("chatChanged");
    await send("Gone");
    await line.waitFor("chatRemoved");
    await ears.waitFor("receiveMessage", ({ text }) => text === "Gone");
    await settled(line);
    expect(story(line, chatId)).toEqual(["Stay", "chatRemoved"]);
    expect(story(ears, chatId)).toEqual(["Stay", "left", "chatChanged", "Gone"]);
  });

  test("what may not be done to a message by HTTP may not be done by socket either, and what may is heard by all", async () => {
    const { admin, member, contact, chatId, send } = await groupAndContact();
    await send("First");
    const { _id: messageId } = (await admin.get(`/chat/messages/${chatId}`)).body.at(-1);
    const [author, other, stranger] = await Promise.all([admin.connect(), member.connectAndSubscribe(), contact.connect()]);
    const acts = [
      ["editMessage", { messageId, text: "Second" }],
      ["react", { messageId, emoji: "👍", on: true }],
      ["deleteMessage", { messageId }],
    ] as const;
    for (const [event, payload] of acts) {
      expect(await stranger.call(event, payload)).toMatchObject({ ok: false, error: { code: "NOT_FOUND" } });
    }
    for (const [event, payload] of acts.filter(([event]) => event !== "react")) {
      expect(await other.call(event, payload)).toMatchObject({ ok: false, error: { code: "FORBIDDEN" } });
    }
    for (const [event, payload] of acts) {
      const message = await author.callOrThrow(event, payload);
      expect(message).toMatchObject({ _id: messageId });
      expect(await other.waitFor("messageChanged", ({ seq }) => seq === message.seq)).toEqual(message);
    }
  });
});
