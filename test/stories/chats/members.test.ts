/** Groups: who may change them, what each change shows to members, and what users see who are added, leave or come back. */
import { expect, test } from "@jest/globals";
import type { Message } from "../../../services/chat/contract.ts";
import { known, malformed, nobody } from "../../support/people/legacy-client.ts";
import type { Person } from "../../support/people/person.ts";
import { refusal, testNeedsSession } from "../../support/systems/refusals.ts";
import { story } from "../../support/systems/story.ts";

const add = (who: Person, chatId: string, { id }: { id: string }) => who.put("/chat/add-to-group", { chatId, userIdToAdd: id });
const remove = (who: Person, chatId: string, { id }: { id: string }) => who.put("/chat/remove-from-group", { chatId, userIdToRemove: id });
const leave = (who: Person, chatId: string) => who.put("/chat/leave-group", { chatId });
const rename = (who: Person, chatId: string, name: string) => who.patch(`/chat/groups/${chatId}`, { name });
const appoint = (who: Person, chatId: string, { id }: { id: string }) => who.put(`/chat/groups/${chatId}/admins/${id}`);
const demote = (who: Person, chatId: string, { id }: { id: string }) => who.delete(`/chat/groups/${chatId}/admins/${id}`);
const history = async (who: Person, chatId: string): Promise<Message[]> => (await who.get(`/chat/messages/${chatId}?limit=200`)).body;
const texts = async (who: Person, chatId: string) => (await history(who, chatId)).map(({ text }) => text);
const viewOf = async (who: Person, chatId: string) =>
  (await who.get("/chat/my-chats")).body.find(({ _id }: { _id: string }) => _id === chatId);
const send = async (who: Person, chatId: string, text: string): Promise<Message> => {
  const { status, body } = await who.post("/chat/messages", { chatId, text });
  expect(status).toBe(201);
  return body;
};

story("Groups", (world) => {
  testNeedsSession(world, [
    ["PUT", "/chat/add-to-group"],
    ["PUT", "/chat/remove-from-group"],
    ["PUT", "/chat/leave-group"],
    ["PATCH", `/chat/groups/${nobody}`],
    ["PUT", `/chat/groups/${nobody}/admins/${nobody}`],
    ["DELETE", `/chat/groups/${nobody}/admins/${nobody}`],
    ["GET", `/chat/members/${nobody}`],
  ]);

  test("only admins may add, remove, rename and appoint; strangers get the same answer as for a group that does not exist", async () => {
    const { members, chatId } = await world.group(4);
    const [admin, member, target, former] = members as [Person, Person, Person, Person];
    expect((await remove(admin, chatId, former)).status).toBe(200);
    const stranger = await world.person();
    // Contacts, so that the only thing they lack is being an admin.
    await world.befriend(member, stranger);
    const before = await history(admin, chatId);
    for (const who of [member, stranger, former]) {
      for (const id of who === member ? [chatId] : [chatId, nobody]) {
        for (const attempt of [
          add(who, id, stranger),
          remove(who, id, target),
          rename(who, id, "Mine now"),
          appoint(who, id, who),
          demote(who, id, admin),
          ...(who === member ? [] : [leave(who, id), who.get(`/chat/members/${id}`)]),
        ]) {
          expect(await attempt).toMatchObject(refusal(403, "FORBIDDEN"));
        }
      }
    }
    expect(await history(admin, chatId)).toEqual(before);
  });

  test("a direct chat cannot be changed like a group", async () => {
    const { a, b, chatId } = await world.pair();
    for (const attempt of [add(a, chatId, b), remove(a, chatId, b), leave(a, chatId), rename(a, chatId, "Us"), appoint(a, chatId, b)]) {
      expect(await attempt).toMatchObject(refusal(404, "NOT_FOUND"));
    }
    expect((await a.get(`/chat/members/${chatId}`)).body).toMatchObject({ count: 2 });
  });

  test("an admin adds a contact: all members are notified, and the new member sees no older messages", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person, Person];
    const newcomer = await world.person();
    await send(admin, chatId, "before");
    expect(await add(admin, chatId, newcomer)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect((await newcomer.get("/chat/my-chats")).body).toEqual([]);
    await world.befriend(admin, newcomer);
    const [memberLine, newcomerLine] = [await member.connectAndSubscribe(), await newcomer.connectAndSubscribe()];

    const added = await add(admin, chatId, newcomer);
    expect(added).toMatchObject({ status: 200, body: known("chat", { _id: chatId, chatType: "group", memberCount: 4 }) });
    expect(added.body.participants).toContain(newcomer.id);
    const note = await memberLine.waitFor("receiveMessage", ({ kind }) => kind === "system");
    expect(note).toMatchObject({
      senderId: admin.id,
      text: `added ${newcomer.firstName} ${newcomer.lastName}`,
      system: { event: "added", userIds: [newcomer.id] },
    });
    expect(await memberLine.waitFor("chatChanged", ({ memberCount }) => memberCount === 4)).not.toHaveProperty("unread");
    expect(await newcomerLine.waitFor("chatChanged", ({ _id }) => _id === chatId)).toMatchObject({
      title: "A group",
      memberCount: 4,
      unread: 0,
    });
    expect(await newcomerLine.waitFor("receiveMessage", ({ kind }) => kind === "system")).toEqual(note);

    const after = await send(member, chatId, "after");
    expect(await newcomerLine.waitFor("receiveMessage", ({ _id }) => _id === after._id)).toEqual(after);
    expect(await texts(newcomer, chatId)).toEqual([note.text, "after"]);
    expect(await viewOf(newcomer, chatId)).toMatchObject({ unread: 1, joinedN: note.n - 1 });
    const synced = (await newcomer.post("/chat/sync", { since: { [chatId]: 0 } })).body;
    expect(synced.messages[chatId].map(({ text }: Message) => text)).toEqual([note.text, "after"]);
  });

  test("adding a member again, or an unknown user, is refused", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members;
    const again = await add(admin, chatId, member!);
    expect(again).toMatchObject(refusal(400, "VALIDATION"));
    expect(again.body).toMatchObject({ details: [{ field: "userIdToAdd" }] });
    expect(await add(admin, chatId, admin)).toMatchObject(refusal(400, "VALIDATION"));
    expect(await add(admin, chatId, { id: nobody })).toMatchObject({ status: 403 });
    expect(await viewOf(admin, chatId)).toMatchObject({ memberCount: 3, lastN: 1 });
  });

  test("adding, removing and leaving with a missing or malformed id are refused", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members;
    for (const id of ["", "x", malformed, `${nobody}0`, null, { $ne: null }]) {
      expect(await admin.put("/chat/add-to-group", { chatId, userIdToAdd: id })).toMatchObject(refusal(400, "VALIDATION"));
    }
    for (const [path, body] of [
      ["/chat/add-to-group", { chatId }],
      ["/chat/add-to-group", { userIdToAdd: member!.id }],
      ["/chat/remove-from-group", { chatId }],
      ["/chat/leave-group", {}],
    ] as const) {
      expect(await admin.put(path, body)).toMatchObject(refusal(400, "VALIDATION"));
    }
    expect(await viewOf(admin, chatId)).toMatchObject({ memberCount: 3, lastN: 1 });
  });

  test("a removed member is notified once, receives nothing more, and cannot read the chat", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, target, other] = members as [Person, Person, Person];
    const [targetLine, otherLine] = [await target.connectAndSubscribe(), await other.connectAndSubscribe()];
    await send(admin, chatId, "with you");
    await targetLine.waitFor("receiveMessage", ({ text }) => text === "with you");

    const removed = await remove(admin, chatId, target);
    expect(removed).toMatchObject({ status: 200, body: known("chat", { _id: chatId, memberCount: 2 }) });
    expect(removed.body.participants).not.toContain(target.id);
    expect(await targetLine.waitFor("chatRemoved")).toEqual({ chatId });
    const note = await otherLine.waitFor("receiveMessage", ({ system }) => system?.event === "removed");
    expect(note.system.userIds).toEqual([target.id]);
    await send(admin, chatId, "without you");
    await otherLine.waitFor("receiveMessage", ({ text }) => text === "without you");

    expect(await target.get(`/chat/messages/${chatId}`)).toMatchObject({ status: 403 });
    expect(await target.post("/chat/messages", { chatId, text: "still here" })).toMatchObject({ status: 403 });
    expect(await viewOf(target, chatId)).toBeUndefined();
    expect((await target.post("/chat/sync", { since: { [chatId]: 1 } })).body).toMatchObject({ removed: [chatId], messages: {} });
    expect(targetLine.payloadsOf("receiveMessage").map(({ text }) => text)).toEqual(["with you"]);
    expect(targetLine.payloadsOf("chatRemoved")).toHaveLength(1);
  });

  test("an admin cannot remove themselves, and removing someone who is not a member changes nothing", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, former] = members as [Person, Person, Person];
    const stranger = await world.person();
    const self = await remove(admin, chatId, admin);
    expect(self).toMatchObject(refusal(400, "VALIDATION"));
    expect(self.body).toMatchObject({ details: [{ field: "userIdToRemove" }] });
    expect(await remove(admin, chatId, stranger)).toMatchObject({ status: 200, body: { memberCount: 3, lastN: 1 } });
    const { lastN } = (await remove(admin, chatId, former)).body;
    for (const user of [former, stranger]) {
      const answer = await remove(admin, chatId, user);
      expect(answer).toMatchObject({ status: 200, body: known("chat", { _id: chatId, memberCount: 2, lastN }) });
      expect(answer.body.participants).not.toContain(user.id);
    }
  });

  test("a member who is added again sees nothing from before, and sync says to drop older messages", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, target] = members as [Person, Person, Person];
    const old = await send(target, chatId, "my old message");
    await remove(admin, chatId, target);
    await send(admin, chatId, "behind your back");
    const line = await target.connectAndSubscribe();
    await add(admin, chatId, target);
    expect(await line.waitFor("chatChanged", ({ _id }) => _id === chatId)).toMatchObject({ unread: 0 });
    const fresh = await send(admin, chatId, "welcome back");
    await line.waitFor("receiveMessage", ({ _id }) => _id === fresh._id);
    expect(line.payloadsOf("receiveMessage").map(({ text }) => text)).toEqual([expect.stringContaining("added"), "welcome back"]);
    expect(await texts(target, chatId)).toEqual([expect.stringContaining("added"), "welcome back"]);
    expect((await target.post("/chat/sync", { since: { [chatId]: old.seq } })).body).toMatchObject({
      reset: [chatId],
      messages: { [chatId]: [{ kind: "system" }, { text: "welcome back" }] },
    });
    expect(await target.patch(`/chat/messages/${old._id}`, { text: "from before" })).toMatchObject({ status: 404 });
    expect(await target.post("/chat/messages", { chatId, text: "?", replyTo: old._id })).toMatchObject({ status: 404 });
  });

  test("when the last admin leaves, the longest-standing member becomes admin; when the last member leaves, the group ends", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, heir, last] = members as [Person, Person, Person];
    const left = await leave(admin, chatId);
    const chat = known("chat", { _id: chatId, chatType: "group", memberCount: 2, admins: [heir.id] });
    expect(left).toMatchObject({ status: 200, body: { message: expect.any(String), chat } });
    expect(left.body.chat.participants).not.toContain(admin.id);
    expect(left.body.chat.participants[0]).toBe(heir.id);
    expect((await history(heir, chatId)).slice(-2).map(({ system }) => system!.event)).toEqual(["left", "adminAdded"]);
    expect((await rename(last, chatId, "Ours")).status).toBe(403);
    expect((await rename(heir, chatId, "Ours")).status).toBe(200);

    expect(await leave(heir, chatId)).toMatchObject({ status: 200, body: { chat: { memberCount: 1, admins: [last.id] } } });
    expect(await viewOf(last, chatId)).toMatchObject({ memberCount: 1, admins: [last.id] });
    const ended = await leave(last, chatId);
    expect(ended.status).toBe(200);
    expect(ended.body).toEqual({ message: expect.any(String) });
    expect(await leave(last, chatId)).toMatchObject(refusal(403, "FORBIDDEN"));
    for (const member of members) {
      expect((await member.get(`/chat/messages/${chatId}`)).status).toBe(403);
      expect((await member.get("/chat/my-chats")).body).toEqual([]);
    }
  });

  test("a group keeps an admin when the last admin removes the next in line and leaves at the same time", async () => {
    for (let round = 0; round < 5; round++) {
      const { members, chatId } = await world.group(4);
      const [admin, ...others] = members as [Person, Person, Person, Person];
      const { data } = (await admin.get(`/chat/members/${chatId}`)).body;
      const next = others.find(({ id }) => id === data[1].userId)!;
      const changes = [remove(admin, chatId, next), leave(admin, chatId)];
      for (const { status } of await Promise.all(changes)) expect([200, 403]).toContain(status);
      const stays = others.find(({ id }) => id !== next.id)!;
      const { admins, memberCount } = await viewOf(stays, chatId);
      expect({ memberCount, admins: admins.length }).toEqual({
        memberCount: admins.includes(admin.id) ? 4 : expect.any(Number),
        admins: 1,
      });
    }
  });

  test("a change of the group answers with your own settings and watermarks", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person, Person];
    await rename(admin, chatId, "First");
    const sent = await send(member, chatId, "unread");
    await admin.patch(`/chat/settings/${chatId}`, { pinned: true, archived: true });
    await admin.post("/chat/read", { chatId, n: sent.n });
    expect((await rename(admin, chatId, "Second")).body).toMatchObject({ pinned: true, archived: true, readN: sent.n, unread: 0 });
  });

  test("a removed member who repeats a send does not learn what happened to the message since", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, target] = members as [Person, Person, Person];
    const body = { chatId, text: "mine", clientId: "once" };
    const [before, after] = [(await target.post("/chat/messages", body)).body, { ...body, clientId: "twice" }];
    const later = (await target.post("/chat/messages", after)).body;
    await remove(admin, chatId, target);
    await admin.put(`/chat/messages/${later._id}/reactions/${encodeURIComponent("👍")}`);
    expect(await target.post("/chat/messages", body)).toMatchObject({ status: 200, body: { _id: before._id, text: "mine" } });
    expect(await target.post("/chat/messages", after)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
  });

  test("an admin appoints and dismisses admins, but the last admin stays", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person, Person];
    expect(await demote(admin, chatId, admin)).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect(await appoint(admin, chatId, member)).toMatchObject({
      status: 200,
      body: { admins: expect.arrayContaining([admin.id, member.id]) },
    });
    const once = await viewOf(admin, chatId);
    expect((await appoint(admin, chatId, member)).body.lastSeq).toBe(once.lastSeq);
    expect(await demote(member, chatId, admin)).toMatchObject({ status: 200, body: { admins: [member.id] } });
    expect((await rename(admin, chatId, "No more")).status).toBe(403);
    for (const id of [nobody, (await world.person()).id]) expect((await appoint(member, chatId, { id })).status).toBe(404);
    expect((await history(member, chatId)).map(({ system }) => system?.event)).toEqual(["created", "adminAdded", "adminRemoved"]);
  });

  test("a new name becomes every member's title; a blank name is refused, and the same name changes nothing", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person, Person];
    const line = await member.connectAndSubscribe();
    expect(await rename(admin, chatId, "  The crew ")).toMatchObject({ status: 200, body: { name: "The crew", title: "The crew" } });
    expect(await line.waitFor("chatChanged")).toMatchObject({ _id: chatId, name: "The crew" });
    expect(await line.waitFor("receiveMessage")).toMatchObject({ system: { event: "renamed", name: "The crew" } });
    expect((await rename(admin, chatId, "The crew")).body.lastN).toBe(2);
    for (const name of ["", "  ", "x".repeat(101), "a\u0000b", 7, null]) {
      expect(await admin.patch(`/chat/groups/${chatId}`, { name })).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    }
    expect(await admin.patch(`/chat/groups/${chatId}`, {})).toMatchObject({ status: 400 });
    expect(await viewOf(member, chatId)).toMatchObject({ title: "The crew", lastN: 2 });
  });

  test("members are listed by when they joined, in pages", async () => {
    const { members, chatId } = await world.group(4);
    const [admin] = members;
    const first = await admin.get(`/chat/members/${chatId}?limit=3`);
    expect(first.body).toMatchObject({ count: 4, data: [{ userId: admin.id, role: "admin", readN: 0, deliveredN: 0 }, {}, {}] });
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get("link")!)![1]!;
    const second = await admin.get(next);
    expect([...first.body.data, ...second.body.data].map(({ userId }) => userId).sort()).toEqual(members.map(({ id }) => id).sort());
    expect(second.headers.get("link")).toBeNull();
    for (const after of ["x", "1-2", `-${nobody}`]) expect((await admin.get(`/chat/members/${chatId}?after=${after}`)).status).toBe(400);
  });

  test("concurrent changes have one order, the same for all members", async () => {
    const { members, chatId } = await world.group(4);
    const [admin, ...others] = members as [Person, Person, Person, Person];
    const newcomers = await world.people(4);
    for (const newcomer of newcomers) await world.befriend(admin, newcomer);
    const lines = await Promise.all(others.map((other) => other.connectAndSubscribe()));
    await Promise.all([
      ...newcomers.map((newcomer) => add(admin, chatId, newcomer)),
      ...newcomers.map((newcomer) => add(admin, chatId, newcomer)),
      rename(admin, chatId, "Busy"),
      ...others.map((other) => appoint(admin, chatId, other)),
      ...others.flatMap((other) => [1, 2, 3].map((i) => send(other, chatId, `${i}`))),
    ]);
    const stored = await history(admin, chatId);
    expect(stored.map(({ n }) => n)).toEqual(stored.map((_, index) => index + 1));
    expect(stored.filter(({ system }) => system?.event === "added")).toHaveLength(4);
    for (const line of lines) {
      expect(await line.waitForCount("receiveMessage", stored.length - 1)).toEqual(stored.slice(1));
    }
    expect(await viewOf(admin, chatId)).toMatchObject({ memberCount: 8, name: "Busy" });
  });
});
