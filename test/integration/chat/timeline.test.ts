/** A chat's timeline on every store: it stores every field that a change sets, and two nodes may write one chat. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openChats, seedGroup } from "../../../bench/seed/chats.ts";
import { newId } from "../../../core/ids.ts";
import { update, type Collection, type Database, type Doc } from "../../../core/store/store.ts";
import { chats, members, messages, type MemberRow } from "../../../services/chat/store/collections.ts";
import type { ChangeBatch, NewMessage } from "../../../services/chat/timeline/batch.ts";
import type { SnapshotReads } from "../../../services/chat/timeline/snapshot.ts";
import { sendChange } from "../../../services/chat/messages/send.ts";
import type { ChatContext } from "../../../services/chat/context.ts";
import { openChatTimelines } from "../../support/systems/chat-timelines.ts";
import { describeStores } from "../../support/systems/describe-with.ts";
import type { TestStore } from "../../support/store/stores.ts";

const [ada, ben, cleo] = [newId(), newId(), newId()];
const hello = (senderId: string): NewMessage => ({ kind: "text", senderId, clientId: newId(), bodyHash: "", text: "Hello", replyTo: null });

describeStores("A chat's timeline", (open) => {
  let opened: TestStore;
  let db: Database;
  let node: ChatContext;
  let otherNode: ChatContext;
  beforeAll(async () => {
    opened = await open();
    db = await openChats(opened.store);
    [node, otherNode] = [await openChatTimelines(opened.store, db), await openChatTimelines(opened.store, db)];
  });
  afterAll(() => opened.remove());

  /** Makes a change that ends with this row. @returns the row as the change left it, and as it is stored */
  async function outcome<R extends Doc>(from: Collection<R>, chatId: string, reads: SnapshotReads, apply: (batch: ChangeBatch) => R) {
    const shown = await node.timelines.append(chatId, { reads, estimatedBytes: 100, apply });
    return { shown: untimed(shown), stored: untimed((await db.get(from, shown._id))!) };
  }
  /** The store fills in `changedAt`. */
  const untimed = <R extends Doc>(row: R): R => ({ ...row, changedAt: undefined });
  const memberOf = async (chatId: string, userId: string): Promise<MemberRow> => (await db.find(members, [{ chatId, userId }]))[0]!;
  const changeMember = (at: ChatContext, chatId: string, userId: string, change: (batch: ChangeBatch) => void) =>
    at.timelines.append(chatId, {
      reads: { people: [userId] },
      estimatedBytes: 100,
      apply(batch) {
        change(batch);
        batch.addMessage(hello(ada));
        return batch.member(userId)!;
      },
    });
  const join = (at: ChatContext, chatId: string, userId: string) => changeMember(at, chatId, userId, (batch) => batch.addMember(userId));
  const leave = (at: ChatContext, chatId: string, userId: string) =>
    changeMember(at, chatId, userId, (batch) => batch.removeMember(batch.member(userId)!));

  // `label` stands for a field that a later release adds: only the change that sets it knows it.

  test("stores every field that a send or a change of a message sets", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const sent = await outcome(messages, chatId, {}, (batch) => {
      const { _id } = batch.addMessage({ ...hello(ada), ...{ label: "sent" } });
      return batch.message(_id)!;
    });
    expect(sent.stored).toEqual(sent.shown);
    expect(sent.stored).toMatchObject({ text: "Hello", n: 2, label: "sent" });

    const messageId = sent.shown._id;
    const changed = await outcome(messages, chatId, { messages: [messageId] }, (batch) => {
      batch.changeMessage(batch.message(messageId)!, { text: "Hello again", ...{ label: "changed" } });
      // Another change in the same batch adds to the first.
      batch.changeMessage(batch.message(messageId)!, { editedAt: 1, reactions: { "👍": { count: 1, userIds: [ben] } } });
      return batch.message(messageId)!;
    });
    expect(changed.stored).toEqual(changed.shown);
    expect(changed.stored).toMatchObject({ text: "Hello again", editedAt: 1, reactions: { "👍": { count: 1 } }, label: "changed" });
  });

  test("stores every field that a change of a member sets", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const apply = async (userId: string, change: (batch: ChangeBatch) => void) => {
      const shown = await changeMember(node, chatId, userId, change);
      return { shown: untimed(shown), stored: untimed(await memberOf(chatId, userId)) };
    };
    const promoted = await apply(ben, (batch) => {
      batch.setRole(batch.member(ben)!, "admin");
      // What a method for the new field would do.
      batch["setMember"](batch.member(ben)!, { role: "admin", ...{ label: "promoted" } });
    });
    expect(promoted.stored).toEqual(promoted.shown);
    expect(promoted.stored).toMatchObject({ role: "admin", changedSeq: promoted.shown.changedSeq, label: "promoted" });

    const joined = await apply(cleo, (batch) => {
      batch.addMember(cleo);
      batch["setMember"](batch.member(cleo)!, { role: "member", ...{ label: "joined" } });
    });
    expect(joined.stored).toEqual(joined.shown);
    expect(joined.stored).toMatchObject({ role: "member", leftSeq: null, label: "joined" });
  });

  test("stores every field that a change of the chat sets", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const renamed = await outcome(chats, chatId, {}, (batch) => {
      batch.setSharedFields({ name: "Renamed", ...{ label: "renamed" } });
      batch.addMessage(hello(ada));
      batch.setRelation({ state: "accepted", rev: 7 });
      return batch.chat;
    });
    expect(renamed.stored).toEqual(renamed.shown);
    expect(renamed.stored).toMatchObject({ name: "Renamed", preview: { text: "Hello" }, relation: { rev: 7 }, label: "renamed" });
  });

  test("removes the fields that a change clears", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const file = { fileId: newId(), name: "a.txt", mimeType: "text/plain", size: 1, hasThumb: false };
    const sent = await outcome(messages, chatId, {}, (batch) => {
      batch.setSharedFields({ picture: newId() });
      const { _id } = batch.addMessage({ ...hello(ada), file, ...{ label: "sent" } });
      return batch.message(_id)!;
    });
    expect(sent.stored).toMatchObject({ file, label: "sent" });
    const messageId = sent.shown._id;
    const { stored } = await outcome(messages, chatId, { messages: [messageId] }, (batch) => {
      batch.setSharedFields({ picture: null });
      batch.changeMessage(batch.message(messageId)!, { file: null, ...{ label: undefined } });
      return batch.message(messageId)!;
    });
    expect(stored).toMatchObject({ text: "Hello", file: null, label: null });
    expect(await db.get(chats, chatId)).toMatchObject({ picture: null });
  });

  test("keeps watermarks and settings that were written outside the sequence, and resets settings when someone joins again", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const setRole = (role: MemberRow["role"]) => changeMember(node, chatId, ben, (batch) => batch.setRole(batch.member(ben)!, role));
    await setRole("admin");
    const outside = { readN: 2, deliveredN: 2, mutedUntil: 9e12, archived: true, pinned: true };
    await db.commit([update(members, { _id: (await memberOf(chatId, ben))._id }, outside)]);
    // The node knows the row from before.
    await setRole("member");
    expect(await memberOf(chatId, ben)).toMatchObject({ role: "member", ...outside });
    await leave(node, chatId, ben);
    expect(await memberOf(chatId, ben)).toMatchObject({ leftSeq: expect.any(Number), ...outside });
    await join(node, chatId, ben);
    const fresh = { mutedUntil: null, archived: false, pinned: false };
    expect(await memberOf(chatId, ben)).toMatchObject({ leftSeq: null, readN: 2, deliveredN: 2, ...fresh });
  });

  test("does not refuse a change because of a state that another node has changed since", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const send = () => node.timelines.append(chatId, sendChange("required", cleo, { text: "Hello", clientId: newId() }, undefined));
    await expect(send()).rejects.toMatchObject({ type: "FORBIDDEN" });
    await join(otherNode, chatId, cleo);
    expect(await send()).toMatchObject({ stored: true, message: { senderId: cleo, n: 3 } });
    await leave(otherNode, chatId, cleo);
    await expect(send()).rejects.toMatchObject({ type: "FORBIDDEN" });
  });

  test("does not drop a change as a no-op because of a state that another node has changed since", async () => {
    const { chatId } = await seedGroup(db, [ada, ben]);
    const rename = (at: ChatContext, name: string) =>
      at.timelines.append(chatId, {
        reads: {},
        estimatedBytes: 100,
        apply(batch) {
          if (batch.chat.name === name) return;
          batch.setSharedFields({ name });
          batch.addMessage(hello(ada));
        },
      });
    for (const [at, name] of [
      [node, "First"],
      [otherNode, "Second"],
      [node, "First"],
    ] as const) {
      await rename(at, name);
      expect(await db.get(chats, chatId)).toMatchObject({ name });
    }
  });
});
