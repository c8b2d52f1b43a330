/**
 * PingTalk's chats, row by row, as its clients use them. Ada made the group that Ben and Dan are in, and Ben is her contact; Cleo stands
 * outside. The first test of a row says who may not call it.
 */
import { describe, expect, test } from "@jest/globals";
import { by, byForm, id, known, malformed, nobody, refusal, row, text } from "../support/people/legacy-client.ts";
import { eventually } from "../support/eventually.ts";
import { requestJson, type Person } from "../support/people/person.ts";
import { story } from "../support/systems/story.ts";

const notes = new File(["Hello"], "notes.txt", { type: "text/html" });

story("PingTalk's clients: chats", (world) => {
  /** Two contacts, and a third person whom they don't know. */
  async function three() {
    const [ada, ben, cleo] = await world.people(3);
    await world.befriend(ada, ben);
    return { ada, ben, cleo };
  }
  /** A group of three, and who is not in it. */
  async function fellowship() {
    const { members, chatId } = await world.group(3);
    const [ada, ben, dan] = members as [Person, Person, Person];
    return { ada, ben, dan, cleo: await world.person(), chatId };
  }

  row(world, "POST", "/chat/create-direct", () => {
    test("is refused to who is no contact", async () => {
      const { ada, cleo } = await three();
      expect(await by(cleo)("POST", "/chat/create-direct", { receiverId: ada.id })).toMatchObject(refusal(403));
    });

    test("answers the one chat of the two, new or not", async () => {
      const { ada, ben } = await three();
      const open = (who: Person, receiverId?: string) => by(who)("POST", "/chat/create-direct", { receiverId });
      const made = await open(ada, ben.id);
      const participants = [ada.id, ben.id].sort();
      expect(made).toMatchObject({ status: 201, body: known("chat", { chatType: "direct", participants, admins: [], lastMessage: null }) });
      expect(made.body).not.toHaveProperty("name");
      expect(await open(ben, ada.id)).toMatchObject({ status: 200, body: { _id: made.body._id } });
      for (const wrong of [undefined, ada.id, malformed]) expect(await open(ada, wrong)).toMatchObject(refusal(400));
    });
  });

  row(world, "POST", "/chat/create-group", () => {
    test("is refused with who is no contact", async () => {
      const { ada, ben, cleo } = await three();
      const body = { name: "Three", participants: [ben.id, cleo.id] };
      expect(await by(ada)("POST", "/chat/create-group", body)).toMatchObject(refusal(403));
    });

    test("answers the group, its maker the admin", async () => {
      const { ada, ben, cleo } = await three();
      await world.befriend(ada, cleo);
      const make = (name: unknown, participants: unknown) => by(ada)("POST", "/chat/create-group", { name, participants });
      const answer = await make(" Three ", [ben.id, cleo.id]);
      expect(answer).toMatchObject({ status: 201, body: known("chat", { chatType: "group", name: "Three", admins: [ada.id] }) });
      expect([...answer.body.participants].sort()).toEqual([ada.id, ben.id, cleo.id].sort());
      for (const wrong of [[ben.id], [ben.id, ben.id], [ben.id, malformed], "all", undefined]) {
        expect(await make("Three", wrong)).toMatchObject(refusal(400));
      }
      for (const wrong of ["  ", undefined]) expect(await make(wrong, [ben.id, cleo.id])).toMatchObject(refusal(400));
    });
  });

  row(world, "PUT", "/chat/add-to-group", () => {
    test("is refused to plain members, and to who is not in it", async () => {
      const { ben, cleo, chatId } = await fellowship();
      await world.befriend(ben, cleo);
      for (const [who, userIdToAdd] of [
        [ben, cleo.id],
        [cleo, cleo.id],
      ] as const) {
        expect(await by(who)("PUT", "/chat/add-to-group", { chatId, userIdToAdd })).toMatchObject(refusal(403));
      }
    });

    test("answers the chat with the newcomer", async () => {
      const { ada, ben, cleo, chatId } = await fellowship();
      await world.befriend(ada, cleo);
      const add = (body: object) => by(ada)("PUT", "/chat/add-to-group", body);
      const answer = await add({ chatId, userIdToAdd: cleo.id });
      expect(answer).toMatchObject({ status: 200, body: known("chat", { _id: chatId, chatType: "group" }) });
      expect(answer.body.participants).toContain(cleo.id);
      for (const wrong of [{ chatId, userIdToAdd: ben.id }, { chatId }, { userIdToAdd: ben.id }, { chatId, userIdToAdd: malformed }]) {
        expect(await add(wrong)).toMatchObject(refusal(400));
      }
      const direct = (await by(ada)("POST", "/chat/create-direct", { receiverId: ben.id })).body._id;
      expect(await add({ chatId: direct, userIdToAdd: cleo.id })).toMatchObject(refusal(404));
    });
  });

  row(world, "PUT", "/chat/remove-from-group", () => {
    test("is refused to plain members, and to who is not in it", async () => {
      const { ben, dan, cleo, chatId } = await fellowship();
      for (const who of [ben, cleo]) {
        expect(await by(who)("PUT", "/chat/remove-from-group", { chatId, userIdToRemove: dan.id })).toMatchObject(refusal(403));
      }
    });

    test("answers the chat without them, also when they were no member", async () => {
      const { ada, ben, cleo, chatId } = await fellowship();
      const remove = (body: object) => by(ada)("PUT", "/chat/remove-from-group", body);
      for (const userIdToRemove of [ben.id, ben.id, cleo.id]) {
        const answer = await remove({ chatId, userIdToRemove });
        expect(answer).toMatchObject({ status: 200, body: known("chat", { _id: chatId, memberCount: 2 }) });
        expect(answer.body.participants).not.toContain(userIdToRemove);
      }
      for (const wrong of [{ chatId, userIdToRemove: ada.id }, { chatId }]) expect(await remove(wrong)).toMatchObject(refusal(400));
    });
  });

  row(world, "PUT", "/chat/leave-group", () => {
    test("is refused to who is not in it", async () => {
      const { cleo, chatId } = await fellowship();
      expect(await by(cleo)("PUT", "/chat/leave-group", { chatId })).toMatchObject(refusal(403));
      expect(await by(cleo)("PUT", "/chat/leave-group", {})).toMatchObject(refusal(400));
    });

    test("answers the chat one left; the last one out ends it", async () => {
      const { ada, ben, dan, chatId } = await fellowship();
      const leave = (who: Person) => by(who)("PUT", "/chat/leave-group", { chatId });
      for (const who of [ben, ada]) {
        const answer = await leave(who);
        expect(answer).toMatchObject({ status: 200, body: { message: text, chat: known("chat", { _id: chatId, chatType: "group" }) } });
        expect(answer.body.chat.participants).not.toContain(who.id);
      }
      expect((await leave(dan)).body).toEqual({ message: text });
      expect(await leave(dan)).toMatchObject(refusal(403));
    });
  });

  row(world, "GET", "/chat/my-chats", () => {
    test("answers a bare array of one's own, last activity first", async () => {
      const { ada, ben, cleo, chatId } = await fellowship();
      const direct = (await by(ada)("POST", "/chat/create-direct", { receiverId: ben.id })).body._id;
      // Two nodes may write these chats, each by its own clock: the message is repeated until it is the later one by either.
      const answer = await eventually("the group's time is past the other's", async () => {
        await ada.post("/chat/messages", { chatId, text: "Hello" });
        const listed = await by(ben)("GET", "/chat/my-chats");
        const at = (one: string) => listed.body.find(({ _id }: { _id: string }) => _id === one).updatedAt;
        return at(chatId) > at(direct) && listed;
      });
      expect(answer).toMatchObject({
        status: 200,
        body: [known("chat", { _id: chatId, lastMessage: id }), known("chat", { _id: direct, lastMessage: null })],
      });
      expect((await by(cleo)("GET", "/chat/my-chats")).body).toEqual([]);
    });
  });

  row(world, "GET", "/chat/messages/:chatId", () => {
    test("is refused to who is not in the chat, existing or not", async () => {
      const { cleo, chatId } = await fellowship();
      for (const one of [chatId, nobody]) expect(await by(cleo)("GET", `/chat/messages/${one}`)).toMatchObject(refusal(403));
      expect(await by(cleo)("GET", `/chat/messages/${malformed}`)).toMatchObject(refusal(400));
    });

    test("answers a bare array, the oldest first", async () => {
      const { ada, ben } = await three();
      const chatId = (await by(ada)("POST", "/chat/create-direct", { receiverId: ben.id })).body._id;
      for (const [who, what] of [
        [ada, " Hello "],
        [ben, "Hi"],
      ] as const) {
        await who.post("/chat/messages", { chatId, text: what });
      }
      expect(await by(ben)("GET", `/chat/messages/${chatId}`)).toMatchObject({
        status: 200,
        body: [
          known("message", { chatId, senderId: ada.id, text: " Hello ", readBy: [ada.id] }),
          known("message", { chatId, senderId: ben.id, text: "Hi", readBy: [ben.id] }),
        ],
      });
    });
  });

  row(world, "POST", "/chat/send-file", () => {
    test("is refused to who is not in the chat, existing or not", async () => {
      const { cleo, chatId } = await fellowship();
      for (const one of [chatId, nobody]) {
        expect(await byForm(cleo, "/chat/send-file", { chatId: one, file: notes })).toMatchObject(refusal(403));
      }
    });

    test("answers the message, which is heard by all who joined; its bytes are for members", async () => {
      const { ada, ben, cleo, chatId } = await fellowship();
      const line = await ben.connect();
      await line.callOrThrow("joinChat", { chatId });
      const answer = await byForm(ada, "/chat/send-file", { file: notes, chatId, text: " See this " });
      const file = { _id: id, url: text, name: "notes.txt", mimeType: "text/plain", size: 5 };
      expect(answer).toMatchObject({ status: 201, body: known("message", { chatId, senderId: ada.id, text: "See this", file }) });
      expect(await line.waitFor("receiveMessage", ({ _id }) => _id === answer.body._id)).toMatchObject({ file: answer.body.file });
      expect((await by(ben)("GET", answer.body.file.url)).body).toBe("Hello");
      expect(await by(cleo)("GET", answer.body.file.url)).toMatchObject(refusal(404));
    });

    test("refuses what is no file of at most 5 MB with its chat", async () => {
      const { ada, chatId } = await fellowship();
      for (const [status, fields] of [
        [400, { chatId }],
        [400, { file: notes }],
        [400, { chatId: malformed, file: notes }],
        [400, { chatId, upload: notes }],
        [413, { chatId, file: new File([new Uint8Array(5 * 1024 * 1024 + 1)], "large.bin") }],
      ] as const) {
        expect(await byForm(ada, "/chat/send-file", fields)).toMatchObject(refusal(status));
      }
      expect((await by(ada)("GET", "/chat/my-chats")).body).toMatchObject([{ lastN: 1 }]);
    });
  });

  describe("GET /health", () => {
    test("is open to anyone", async () => {
      for (const url of world.gateways()) expect((await requestJson(url, "GET", "/health")).status).toBe(200);
    });
  });
});
