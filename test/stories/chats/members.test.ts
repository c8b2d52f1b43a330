/** Groups: who may change what, what everyone sees of it, and what someone who comes late, leaves or comes back sees. */
import { expect, test } from "@jest/globals";
import type { Message } from "../../../services/chat/contract.ts";
import { requestJson, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

const nobody = "0123456789abcdef01234567";
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
  test.each([
    ["PUT", "/chat/add-to-group"],
    ["PUT", "/chat/remove-from-group"],
    ["PUT", "/chat/leave-group"],
    ["PATCH", `/chat/groups/${nobody}`],
    ["PUT", `/chat/groups/${nobody}/admins/${nobody}`],
    ["DELETE", `/chat/groups/${nobody}/admins/${nobody}`],
    ["GET", `/chat/members/${nobody}`],
  ])("%s %s needs a session", async (method, path) => {
    expect(await requestJson(world.gateways()[0], method, path)).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
  });

  test("only admins may add, remove, rename and appoint; to others the group is as good as not there", async () => {
    const { members, chatId } = await world.group(4);
    const [admin, member, target, former] = members as [Person, Person, Person, Person];
    expect((await remove(admin, chatId, former)).status).toBe(200);
    const stranger = await world.person();
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
          expect(await attempt).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
        }
      }
    }
    expect(await history(admin, chatId)).toEqual(before);
  });

  test("a direct chat is no group", async () => {
    const { a, b, chatId } = await world.pair();
    for (const attempt of [add(a, chatId, b), remove(a, chatId, b), leave(a, chatId), rename(a, chatId, "Us"), appoint(a, chatId, b)]) {
      expect(await attempt).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    }
    expect((await a.get(`/chat/members/${chatId}`)).body).toMatchObject({ count: 2 });
  });

  test("an admin adds a contact; everyone hears it, and the newcomer sees nothing older", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person, Person];
    const newcomer = await world.person();
    await send(admin, chatId, "before");
    expect(await add(admin, chatId, newcomer)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect((await newcomer.get("/chat/my-chats")).body).toEqual([]);
    await world.befriend(admin, newcomer);
    const [memberHears, newcomerHears] = [await member.connectAndSubscribe(), await newcomer.connectAndSubscribe()];

    const added = await add(admin, chatId, newcomer);
    expect(added).toMatchObject({ status: 200, body: { _id: chatId, memberCount: 4 } });
    expect(added.body.participants).toContain(newcomer.id);
    const note = await memberHears.waitFor("receiveMessage", ({ kind }) => kind === "system");
    expect(note).toMatchObject({
      senderId: admin.id,
      text: `added ${newcomer.firstName} ${newcomer.lastName}`,
      system: { event: "added", userIds: [newcomer.id] },
    });
    expect(await memberHears.waitFor("chatChanged", ({ memberCount }) => memberCount === 4)).not.toHaveProperty("unread");
    expect(await newcomerHears.waitFor("chatChanged", ({ _id }) => _id === chatId)).toMatchObject({
      title: "A group",
      memberCount: 4,
      unread: 0,
    });
    expect(await newcomerHears.waitFor("receiveMessage", ({ kind }) => kind === "system")).toEqual(note);

    const after = await send(member, chatId, "after");
    expect(await newcomerHears.waitFor("receiveMessage", ({ _id }) => _id === after._id)).toEqual(after);
    expect(await texts(newcomer, chatId)).toEqual([note.text, "after"]);
    expect(await viewOf(newcomer, chatId)).toMatchObject({ unread: 1, joinedN: note.n - 1 });
    const synced = (await newcomer.post("/chat/sync", { since: { [chatId]: 0 } })).body;
    expect(synced.messages[chatId].map(({ text }: Message) => text)).toEqual([note.text, "after"]);
  });

  test("adding refuses a member, a full group and what is no id, and changes nothing", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members;
    expect(await add(admin, chatId, member!)).toMatchObject({
      status: 400,
      body: { code: "VALIDATION", details: [{ field: "userIdToAdd" }] },
    });
    expect(await add(admin, chatId, admin)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
    expect(await add(admin, chatId, { id: nobody })).toMatchObject({ status: 403 });
    for (const id of ["", "x", `${nobody}0`, null, { $ne: null }]) {
      expect(await admin.put("/chat/add-to-group", { chatId, userIdToAdd: id })).toMatchObject({
        status: 400,
        body: { code: "VALIDATION" },
      });
    }
    expect(await viewOf(admin, chatId)).toMatchObject({ memberCount: 3, lastN: 1 });
  });

  test("who is removed is told, hears nothing more, and keeps nothing they may read", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, target, other] = members as [Person, Person, Person];
    const [targetHears, otherHears] = [await target.connectAndSubscribe(), await other.connectAndSubscribe()];
    await send(admin, chatId, "with you");
    await targetHears.waitFor("receiveMessage", ({ text }) => text === "with you");

    expect(await remove(admin, chatId, target)).toMatchObject({ status: 200, body: { memberCount: 2 } });
    expect(await targetHears.waitFor("chatRemoved")).toEqual({ chatId });
    const note = await otherHears.waitFor("receiveMessage", ({ system }) => system?.event === "removed");
    expect(note.system.userIds).toEqual([target.id]);
    await send(admin, chatId, "without you");
    await otherHears.waitFor("receiveMessage", ({ text }) => text === "without you");

    expect(await target.get(`/chat/messages/${chatId}`)).toMatchObject({ status: 403 });
    expect(await target.post("/chat/messages", { chatId, text: "still here" })).toMatchObject({ status: 403 });
    expect(await viewOf(target, chatId)).toBeUndefined();
    expect((await target.post("/chat/sync", { since: { [chatId]: 1 } })).body).toMatchObject({ removed: [chatId], messages: {} });
    expect(targetHears.payloadsOf("receiveMessage").map(({ text }) => text)).toEqual(["with you"]);
    expect(targetHears.payloadsOf("chatRemoved")).toHaveLength(1);
  });

  test("removing oneself is leaving; removing someone who is not there changes nothing", async () => {
    const { members, chatId } = await world.group(3);
    const [admin] = members;
    const stranger = await world.person();
    expect(await remove(admin, chatId, admin)).toMatchObject({ status: 400, body: { details: [{ field: "userIdToRemove" }] } });
    expect(await remove(admin, chatId, stranger)).toMatchObject({ status: 200, body: { memberCount: 3, lastN: 1 } });
  });

  test("who comes back begins anew: nothing from before, and sync says to drop what was held", async () => {
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

  test("when the last admin leaves, the longest-standing member becomes one; with the last member the group ends", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, ...others] = members as [Person, Person, Person];
    const left = await leave(admin, chatId);
    expect(left).toMatchObject({ status: 200, body: { message: expect.any(String), chat: { memberCount: 2 } } });
    const [heirId] = left.body.chat.admins as string[];
    expect(left.body.chat.participants[0]).toBe(heirId);
    const heir = others.find(({ id }) => id === heirId)!;
    const last = others.find(({ id }) => id !== heirId)!;
    expect((await history(heir, chatId)).slice(-2).map(({ system }) => system!.event)).toEqual(["left", "adminAdded"]);
    expect((await rename(last, chatId, "Ours")).status).toBe(403);
    expect((await rename(heir, chatId, "Ours")).status).toBe(200);

    expect((await leave(heir, chatId)).status).toBe(200);
    expect(await viewOf(last, chatId)).toMatchObject({ memberCount: 1, admins: [last.id] });
    const ended = await leave(last, chatId);
    expect(ended.status).toBe(200);
    expect(ended.body).not.toHaveProperty("chat");
    expect(await leave(last, chatId)).toMatchObject({ status: 403 });
    expect(await viewOf(last, chatId)).toBeUndefined();
  });

  test("a group keeps an admin when the last one removes the next in line and leaves at once", async () => {
    for (let round = 0; round < 5; round++) {
      const { members, chatId } = await world.group(4);
      const [admin, ...others] = members as [Person, Person, Person, Person];
      const { data } = (await admin.get(`/chat/members/${chatId}`)).body;
      const next = others.find(({ id }) => id === data[1].userId)!;
      const acts = [remove(admin, chatId, next), leave(admin, chatId)];
      for (const { status } of await Promise.all(acts)) expect([200, 403]).toContain(status);
      const stays = others.find(({ id }) => id !== next.id)!;
      const { admins, memberCount } = await viewOf(stays, chatId);
      expect({ memberCount, admins: admins.length }).toEqual({
        memberCount: admins.includes(admin.id) ? 4 : expect.any(Number),
        admins: 1,
      });
    }
  });

  test("an act on the group answers one's own settings and marks as they are", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person, Person];
    await rename(admin, chatId, "First");
    const sent = await send(member, chatId, "unread");
    await admin.patch(`/chat/settings/${chatId}`, { pinned: true, archived: true });
    await admin.post("/chat/read", { chatId, n: sent.n });
    expect((await rename(admin, chatId, "Second")).body).toMatchObject({ pinned: true, archived: true, readN: sent.n, unread: 0 });
  });

  test("who was removed is not told by a repeated send what became of the message since", async () => {
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

  test("admins are appointed and dismissed, but for the last", async () => {
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

  test("a new name is everyone's title; a blank or unchanged one is refused or changes nothing", async () => {
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

  test("members are listed by how long they are there, a page at a time", async () => {
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

  test("what happens at once comes out in one order for everybody", async () => {
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
      const heard = await line.waitForCount("receiveMessage", stored.length - 1);
      expect(heard).toEqual(stored.slice(1));
    }
    expect(await viewOf(admin, chatId)).toMatchObject({ memberCount: 8, name: "Busy" });
  });
});
