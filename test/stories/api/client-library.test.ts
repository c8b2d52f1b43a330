/** The client library against a server: what each user sees in their client after their own actions and those of others. */
import { describe, expect, test } from "@jest/globals";
import { Parley, type MessageView } from "../../../client/index.ts";
import { waitUntilStored, openDevice, waitForView, texts, eventsOf } from "../../support/client/devices.ts";
import { eventually } from "../../support/eventually.ts";
import { freshEmail } from "../../support/people/factory.ts";
import { story } from "../../support/systems/story.ts";

const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const password = "Correct-Horse-7";
const ns = (messages: readonly MessageView[]) => messages.map(({ n }) => n);

story("The client library", (world) => {
  describe("log-in", () => {
    test("a wrong password, an unknown address, and an invalid or missing token are UNAUTHENTICATED", async () => {
      const { url, emailId } = await world.person();
      const refused = { name: "ParleyError", code: "UNAUTHENTICATED", status: 401 };
      await expect(Parley.logIn({ url, emailId, password: "Wrong-Horse-7" })).rejects.toMatchObject(refused);
      await expect(Parley.logIn({ url, emailId: freshEmail(), password })).rejects.toMatchObject(refused);
      await expect(Parley.resume({ url, token: "nonsense" })).rejects.toMatchObject(refused);
      await expect(Parley.resume({ url })).rejects.toMatchObject(refused);
    });

    test("sign-up logs in; a taken address is a CONFLICT, and the error names invalid fields", async () => {
      const [url] = world.gateways();
      const account = { url, firstName: "Ada", lastName: "Example", emailId: freshEmail(), password };
      const ada = await Parley.signUp(account);
      await ada.online();
      expect(ada.me.emailId).toBe(account.emailId);
      expect(ada.chats()).toEqual([]);
      await ada.close();
      await expect(Parley.signUp(account)).rejects.toMatchObject({ code: "CONFLICT" });
      await expect(Parley.signUp({ ...account, emailId: freshEmail(), password: "weak" })).rejects.toMatchObject({
        code: "VALIDATION",
        details: [{ field: "password" }],
      });
    });

    test("log-out ends this session on all its devices, and no other", async () => {
      const person = await world.person();
      const [one, two] = await Promise.all([openDevice(person), openDevice(person)]);
      const elsewhere = await Parley.logIn(person);
      await elsewhere.online();
      const states = [one, two].map((client) => eventsOf(client, "state"));
      await one.logOut();
      for (const events of states) await eventually("the session has ended", () => events.at(-1)?.state === "ended");
      expect(states.map((events) => events.at(-1))).toEqual([
        { state: "ended", reason: "loggedOut" },
        { state: "ended", reason: "loggedOut" },
      ]);
      await expect(one.online()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
      expect(elsewhere.state).toBe("online");
      await elsewhere.close();
    });
  });

  describe("contacts", () => {
    test("the invited user is notified of an invite, the inviter of its answer, and then they can chat", async () => {
      const [a, b] = await world.people(2);
      const [ada, ben] = await Promise.all([openDevice(a), openDevice(b)]);
      const [requestsA, requestsB] = [eventsOf(ada, "request"), eventsOf(ben, "request")];
      await expect(ada.groups.direct(ben.me._id)).rejects.toMatchObject({ code: "FORBIDDEN" });
      const { _id } = await ada.contacts.invite(b.emailId, "Hello Ben");
      await eventually("Ben gets the invite", () => requestsB.some((request) => request._id === _id && request.status === "pending"));
      expect(await ben.contacts.received("pending")).toMatchObject([{ _id, message: "Hello Ben", user: { firstName: a.firstName } }]);
      await ben.contacts.respond(_id, "accepted");
      await eventually("Ada gets the answer", () => requestsA.some((request) => request._id === _id && request.status === "accepted"));
      expect(await ada.contacts.list()).toMatchObject([{ userId: ben.me._id }]);
      const { _id: chatId } = await ada.groups.direct(ben.me._id);
      await eventually("Ben has the chat", () => ben.chat(chatId) !== undefined);
      const title = `${a.firstName} ${a.lastName}`;
      // The event has a placeholder if the server did not get the name in time.
      expect(ben.chat(chatId)).toMatchObject({ title: expect.stringMatching(`^(${title}|Someone)$`), unread: 0 });
      await eventually("Ben's next device shows the name", async () => (await openDevice(b)).chat(chatId)?.title === title);
    });

    test("a message sent during a block fails, and can be sent again after the block is removed", async () => {
      const { a, b, chatId } = await world.pair();
      const [ada, ben] = await Promise.all([openDevice(a), openDevice(b)]);
      await ben.contacts.block(ada.me._id);
      expect(await ben.contacts.blocked()).toMatchObject([{ userId: ada.me._id }]);
      const refused = ada.send(chatId, "Are you there?");
      await expect(ada.stored(refused)).rejects.toMatchObject({ code: "FORBIDDEN" });
      expect(ada.messages(chatId)).toMatchObject([{ text: "Are you there?", state: "failed", failure: { code: "FORBIDDEN" } }]);
      await ben.contacts.unblock(ada.me._id);
      await world.befriend(a, b);
      ada.retry(refused);
      await ada.stored(refused);
      await waitForView(ben, chatId, "the message", (messages) => messages.length === 1);
      expect(ada.messages(chatId)).toMatchObject([{ text: "Are you there?", state: expect.stringMatching(/sent|delivered/) }]);
    });
  });

  describe("messages", () => {
    test("a message appears in the sender's client before it is stored, reaches the other user, and both see the same order", async () => {
      const { a, b, chatId } = await world.pair();
      const [ada, ben] = await Promise.all([openDevice(a), openDevice(b)]);
      const events = eventsOf(ada, "message");
      const pending = ada.send(chatId, "Hello");
      expect(pending).toMatchObject({ _id: "", n: 0, state: "sending", text: "Hello", senderId: ada.me._id });
      expect(ada.messages(chatId)).toEqual([pending]);
      for (const i of numbers(1, 20)) {
        ada.send(chatId, `Ada ${i}`);
        ben.send(chatId, `Ben ${i}`);
      }
      await Promise.all([waitUntilStored(ada, chatId), waitUntilStored(ben, chatId)]);
      for (const client of [ada, ben]) await waitForView(client, chatId, "all 41", (messages) => messages.length === 41);
      expect(texts(ben, chatId)).toEqual(texts(ada, chatId));
      expect(ns(ada.messages(chatId))).toEqual(numbers(1, 41));
      for (const name of ["Ada", "Ben"]) {
        const sent = texts(ada, chatId).filter((text) => text.startsWith(name));
        expect(sent).toEqual(numbers(1, 20).map((i) => `${name} ${i}`));
      }
      expect(events.filter(({ senderId }) => senderId === ada.me._id).map(({ state }) => state)).toEqual(Array(21).fill("sending"));
    });

    test("two devices of one user see the same messages, whichever device sent them", async () => {
      const { a, b, chatId } = await world.pair();
      const [first, second] = world.gateways();
      const [phone, laptop, ben] = await Promise.all([openDevice(a, { url: first }), openDevice(a, { url: second }), openDevice(b)]);
      for (const i of numbers(1, 10)) {
        phone.send(chatId, `phone ${i}`);
        laptop.send(chatId, `laptop ${i}`);
      }
      await Promise.all([waitUntilStored(phone, chatId), waitUntilStored(laptop, chatId)]);
      for (const client of [phone, laptop, ben]) await waitForView(client, chatId, "all 20", (messages) => messages.length === 20);
      const order = texts(ben, chatId);
      expect(texts(phone, chatId)).toEqual(order);
      expect(texts(laptop, chatId)).toEqual(order);
      laptop.markRead(chatId);
      ben.send(chatId, "Both of you");
      for (const client of [phone, laptop]) await waitForView(client, chatId, "the last", (messages) => messages.length === 21);
      phone.markRead(chatId);
      await eventually("the laptop knows it is read", () => laptop.chat(chatId)!.unread === 0);
    });

    test("a refused message fails alone: the messages before and after it are stored in order", async () => {
      const { a, b, chatId } = await world.pair();
      const [ada, ben] = await Promise.all([openDevice(a), openDevice(b)]);
      const sent = ["one", "x".repeat(10_001), "two", " ", "three"].map((text) => ada.send(chatId, text));
      await ada.stored(sent[4]!);
      await waitForView(ben, chatId, "the good ones", (messages) => messages.length === 3);
      expect(texts(ben, chatId)).toEqual(["one", "two", "three"]);
      expect(ada.messages(chatId).map(({ n, state }) => [n, state === "failed"])).toEqual([
        [1, false],
        [2, false],
        [3, false],
        [0, true],
        [0, true],
      ]);
      ada.discard(sent[1]!);
      ada.discard(sent[3]!);
      expect(texts(ada, chatId)).toEqual(["one", "two", "three"]);
    });

    test("the other user sees edits, deletions, reactions and replies", async () => {
      const { a, b, chatId } = await world.pair();
      const [ada, ben] = await Promise.all([openDevice(a), openDevice(b)]);
      const first = await ada.stored(ada.send(chatId, "Helo"));
      const second = await ada.stored(ada.send(chatId, "Forget this"));
      await waitForView(ben, chatId, "both", (messages) => messages.length === 2);
      await ada.edit(first._id, "Hello");
      await ada.delete(second._id);
      await ben.react(first._id, "👍");
      await ben.stored(ben.send(chatId, "Hi", { replyTo: first._id }));
      for (const client of [ada, ben]) {
        await waitForView(client, chatId, "all of it", (messages) => messages.length === 3 && messages[0]!.reactions["👍"] !== undefined);
        expect(client.messages(chatId)).toMatchObject([
          { n: 1, text: "Hello", editedAt: expect.any(String), reactions: { "👍": { count: 1, userIds: [ben.me._id] } } },
          { n: 2, text: "", deletedAt: expect.any(String) },
          { n: 3, text: "Hi", replyTo: first._id },
        ]);
      }
      await ben.react(first._id, "👍", false);
      await waitForView(ada, chatId, "the reaction gone", ([message]) => message!.reactions["👍"] === undefined);
      await expect(ben.edit(first._id, "Mine now")).rejects.toMatchObject({ code: "FORBIDDEN" });
      await expect(ben.edit("0123456789abcdef01234567", "Nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test("older pages load back to the first message, each message once and in its current state", async () => {
      const { a, b, chatId } = await world.pair();
      const ada = await openDevice(a);
      for (const i of numbers(1, 130)) ada.send(chatId, `message ${i}`);
      await waitUntilStored(ada, chatId);
      const ben = await openDevice(b);
      expect(ns(ben.messages(chatId))).toEqual(numbers(81, 130));
      expect(ben.chat(chatId)).toMatchObject({ unread: 100, lastN: 130 });
      const tenth = ada.messages(chatId)[9]!;
      await ada.edit(tenth._id, "edited before it was loaded");
      const [page] = await Promise.all([ben.loadOlder(chatId), ben.loadOlder(chatId)]);
      expect(ns(page)).toEqual(numbers(31, 80));
      expect(ben.hasOlder(chatId)).toBe(true);
      await Promise.all([ben.loadOlder(chatId), ada.edit(ada.messages(chatId)[19]!._id, "edited while it was loaded")]);
      await waitForView(ben, chatId, "the later edit", (messages) => messages[19]!.text === "edited while it was loaded");
      expect(ns(ben.messages(chatId))).toEqual(numbers(1, 130));
      expect(texts(ben, chatId)[9]).toBe("edited before it was loaded");
      expect(ben.hasOlder(chatId)).toBe(false);
      expect(await ben.loadOlder(chatId)).toEqual([]);
      ben.markRead(chatId, 100);
      expect(ben.chat(chatId)!.unread).toBe(30);
    });
  });

  describe("files", () => {
    test("a file keeps its place among the texts, has its name and size, and the other user can download it", async () => {
      const { a, b, chatId } = await world.pair();
      const [ada, ben] = await Promise.all([openDevice(a), openDevice(b)]);
      const bytes = new TextEncoder().encode("a file's bytes, line by line\n".repeat(100));
      ada.send(chatId, "before");
      const pending = ada.sendFile(chatId, new Blob([bytes], { type: "text/plain" }), { name: "notes.txt", text: "Read this" });
      ada.send(chatId, "after");
      expect(pending).toMatchObject({ kind: "file", state: "sending", file: { name: "notes.txt", size: bytes.length } });
      const stored = await ada.stored(pending);
      expect(stored).toMatchObject({ kind: "file", text: "Read this", file: { name: "notes.txt", size: bytes.length } });
      await waitForView(ben, chatId, "all three", (messages) => messages.length === 3);
      expect(texts(ben, chatId)).toEqual(["before", "Read this", "after"]);
      const { file } = ben.messages(chatId)[1]!;
      expect(new Uint8Array(await (await ben.file(file!.url)).arrayBuffer())).toEqual(bytes);
      const stranger = await openDevice(await world.person());
      await expect(stranger.file(file!.url)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test("a file that is too large fails alone", async () => {
      const { a, chatId } = await world.pair();
      const ada = await openDevice(a);
      const sent = ada.sendFile(chatId, new Blob([new Uint8Array(6 * 1024 * 1024)]), { name: "large" });
      const behind = ada.send(chatId, "behind");
      await expect(ada.stored(sent)).rejects.toMatchObject({ code: "TOO_LARGE" });
      expect(await ada.stored(behind)).toMatchObject({ n: 1 });
    });
  });

  describe("marks", () => {
    test("a message becomes delivered, then read, and unread counts follow on both sides", async () => {
      const { a, b, chatId } = await world.pair();
      const ada = await openDevice(a);
      const { n } = await ada.stored(ada.send(chatId, "Seen?"));
      expect(ada.messages(chatId)).toMatchObject([{ state: "sent", readBy: [ada.me._id], readCount: 1 }]);
      const receipts = eventsOf(ada, "receipt");
      const ben = await openDevice(b);
      expect(ben.chat(chatId)!.unread).toBe(1);
      await waitForView(ada, chatId, "it delivered", ([message]) => message!.state === "delivered");
      ben.markRead(chatId);
      expect(ben.chat(chatId)!.unread).toBe(0);
      await waitForView(ada, chatId, "it read", ([message]) => message!.state === "read");
      expect(ada.messages(chatId)).toMatchObject([{ readBy: [ada.me._id, ben.me._id], readCount: 2 }]);
      expect(receipts.at(-1)).toEqual({ chatId, userId: ben.me._id, deliveredN: n, readN: n });
      const again = await openDevice(b);
      expect(again.chat(chatId)!.unread).toBe(0);
    });

    test("a typing user is shown to the others until their message arrives", async () => {
      const { a, b, chatId } = await world.pair();
      const [ada, ben] = await Promise.all([openDevice(a), openDevice(b)]);
      const events = eventsOf(ben, "typing");
      numbers(1, 50).forEach(() => ada.typing(chatId));
      await eventually("Ben sees that Ada types", () => {
        ada.typing(chatId);
        return ben.typists(chatId).includes(ada.me._id);
      });
      await ada.stored(ada.send(chatId, "Done"));
      await eventually("Ben sees that she has stopped", () => ben.typists(chatId).length === 0);
      // A typing event may get lost. Repeat it until it arrives, as a client does at each key press.
      await eventually("Ben sees that she types again", () => {
        ada.typing(chatId);
        return ben.typists(chatId).length === 1;
      });
      ada.typing(chatId, false);
      await eventually("Ben sees that she has stopped again", () => ben.typists(chatId).length === 0);
      expect(events.map(({ isTyping }) => isTyping)).toEqual([true, false, true, false]);
    });
  });

  describe("groups", () => {
    test("a user who is added, removed and added again sees only messages since they last joined", async () => {
      const { members, chatId } = await world.group(3);
      const [founder] = members;
      const late = await world.person();
      await world.befriend(founder, late);
      const [ada, ben, cleo, dan] = await Promise.all([...members, late].map((person) => openDevice(person)));
      const removed = eventsOf(dan!, "chatRemoved");
      const userId = dan!.me._id;
      await ada!.stored(ada!.send(chatId, "Before Dan"));
      await expect(ben!.groups.add(chatId, userId)).rejects.toMatchObject({ code: "FORBIDDEN" });
      await ada!.groups.add(chatId, userId);
      await ada!.stored(ada!.send(chatId, "Welcome Dan"));
      await waitForView(dan!, chatId, "the welcome", (messages) => messages.some(({ text }) => text === "Welcome Dan"));
      expect(dan!.messages(chatId).map(({ kind }) => kind)).toEqual(["system", "text"]);
      expect(dan!.hasOlder(chatId)).toBe(false);
      await eventually("all see four members", () => [ada, ben, cleo, dan].every((one) => one!.chat(chatId)?.memberCount === 4));

      await ada!.groups.remove(chatId, userId);
      await eventually("Dan's client no longer has the chat", () => dan!.chat(chatId) === undefined);
      expect(removed).toEqual([{ chatId }]);
      await ada!.stored(ada!.send(chatId, "Without Dan"));
      await expect(dan!.stored(dan!.send(chatId, "Still here?"))).rejects.toMatchObject({ code: "FORBIDDEN" });

      await ada!.groups.add(chatId, userId);
      await ada!.stored(ada!.send(chatId, "Welcome back"));
      await waitForView(dan!, chatId, "the second welcome", (messages) => messages.some(({ text }) => text === "Welcome back"));
      expect(texts(dan!, chatId)).not.toContain("Welcome Dan");
      expect(texts(dan!, chatId)).not.toContain("Without Dan");

      await ben!.groups.leave(chatId);
      await eventually("Ben's client no longer has the chat", () => ben!.chat(chatId) === undefined);
      await waitForView(cleo!, chatId, "that Ben left", (messages) => messages.at(-1)?.system?.event === "left");
      expect(await ada!.groups.members(chatId)).toHaveLength(3);
    });

    test("all members see a group's new name and admins; settings are seen only by the user who set them", async () => {
      const { members, chatId } = await world.group(3);
      const [ada, ben, twin] = await Promise.all([openDevice(members[0]), openDevice(members[1]!), openDevice(members[1]!)]);
      await ada.groups.rename(chatId, "Sailing");
      await ada.groups.setAdmin(chatId, ben.me._id, true);
      await eventually("Ben sees both", () => ben.chat(chatId)!.title === "Sailing" && ben.chat(chatId)!.admins.includes(ben.me._id));
      await ben.groups.set(chatId, { pinned: true, mutedUntil: "2099-01-01T00:00:00.000Z" });
      await eventually("his other device has the setting", () => twin.chat(chatId)!.pinned);
      expect(twin.chat(chatId)).toMatchObject({ title: "Sailing", pinned: true, muted: true, archived: false });
      await ben.groups.rename(chatId, "Rowing");
      await eventually("Ada sees it", () => ada.chat(chatId)!.title === "Rowing");
      expect(ada.chat(chatId)).toMatchObject({ pinned: false, muted: false });
    });
  });
});
