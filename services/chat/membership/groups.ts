/** Changes groups. Each change is decided and numbered in the group's own sequence, with a system message that says who did what. */
import type { CallContext } from "../../../core/contract/call.ts";
import { Conflict, Forbidden, Invalid, NotFound } from "../../../core/errors.ts";
import { pairKey } from "../../request/contract.ts";
import { expect, type Operation } from "../../../core/store/store.ts";
import type { AdmittedFile } from "../../media/contract.ts";
import { claimFile, releaseFile, referenceFile } from "../files/references.ts";
import { relations, type ChatRow, type MemberRow } from "../store/collections.ts";
import type { Chat, SharedChat } from "../contract.ts";
import { displayName, everyoneExists } from "./people.ts";
import type { ChangeBatch } from "../timeline/batch.ts";
import { authorizeGroup, authorizeManage, isActive, mayChat } from "../policy.ts";
import { presentShared } from "../present.ts";
import { refreshRelation } from "./contact-relations.ts";
import { viewOf } from "../reads/views.ts";
import type { ChatContext } from "../context.ts";
import { userChannel, type UserNote } from "../../user-notes.ts";
import { firstMembers, memberOf } from "../store/repository.ts";

/** Estimate of the bytes that a group change writes. */
const size = 1000;

/** The chat and the caller's member row after a change. */
interface GroupChangeResult {
  readonly chat: ChatRow;
  readonly actor: MemberRow;
}

/**
 * Adds one of the admin's contacts.
 * @throws Forbidden  not an admin, or not a contact; Invalid  already a member; Conflict  the group is full
 */
export async function addToGroup(context: CallContext<ChatContext>, chatId: string, newcomerId: string): Promise<Chat> {
  const { userId, config, timelines } = context;
  const pair = pairKey(userId, newcomerId);
  if (newcomerId !== userId) await refreshRelation(context, userId, newcomerId);
  const [name, newcomerExists] = await Promise.all([displayName(context, newcomerId), everyoneExists(context, [newcomerId])]);
  const result = await timelines.append(chatId, {
    reads: { people: [userId, newcomerId], pairs: [pair] },
    estimatedBytes: size,
    apply(batch) {
      const actor = batch.member(userId);
      authorizeManage(batch.chat, actor);
      if (isActive(batch.member(newcomerId)))
        throw new Invalid("A member already", [{ field: "userIdToAdd", message: "is a member already" }]);
      const relation = batch.relation(pair);
      if (relation === undefined || !mayChat(config.CONTACTS, relation.state)) throw new Forbidden("You can add only contacts to a group");
      if (!newcomerExists) throw new NotFound("No such user");
      if (batch.chat.memberCount >= config.GROUP_LIMIT) throw new Conflict(`A group has at most ${config.GROUP_LIMIT} members`);
      batch.addWrites(expect(relations, { pair, rev: relation.rev }));
      batch.addMember(newcomerId);
      batch.addSystemMessage(userId, `added ${name}`, { event: "added", userIds: [newcomerId] });
      return { chat: batch.chat, actor, newcomer: batch.member(newcomerId)! };
    },
  });
  const { joinedN, joinedSeq } = result.newcomer;
  const data = await viewOf(context, result.chat, result.newcomer);
  notifyUser(context, newcomerId, { event: "chatChanged", data, joined: { chatId, joinedN, joinedSeq } });
  return viewOfActor(context, result);
}

/** Removes a member; does nothing if the user is not a member. @throws Forbidden  not an admin; Invalid  the caller themselves */
export async function removeFromGroup(context: CallContext<ChatContext>, chatId: string, memberId: string): Promise<Chat> {
  const { userId, timelines } = context;
  const name = await displayName(context, memberId);
  const result = await timelines.append(chatId, {
    // Changes later in this batch may need a successor who is not among the removed members.
    reads: { people: [userId, memberId], seniors: true },
    estimatedBytes: size,
    apply(batch) {
      const actor = batch.member(userId);
      authorizeManage(batch.chat, actor);
      if (memberId === userId) throw new Invalid("Leave the group instead", [{ field: "userIdToRemove", message: "must be someone else" }]);
      const member = batch.member(memberId);
      if (!isActive(member)) return { chat: batch.chat, actor, leftSeq: undefined };
      batch.removeMember(member);
      batch.addSystemMessage(userId, `removed ${name}`, { event: "removed", userIds: [memberId] });
      return { chat: batch.chat, actor, leftSeq: batch.chat.seq };
    },
  });
  if (result.leftSeq !== undefined) notifyRemoved(context, chatId, memberId, result.leftSeq);
  return viewOfActor(context, result);
}

/**
 * Removes the caller. A group always has an admin, and ends when its last member leaves.
 * @returns the group without the caller; null if it has ended
 */
export async function leaveGroup(context: CallContext<ChatContext>, chatId: string): Promise<SharedChat | null> {
  const { userId, timelines, db } = context;
  const { chat, leftSeq } = await timelines.append(chatId, {
    reads: { people: [userId], seniors: true },
    estimatedBytes: size,
    apply(batch) {
      const member = batch.member(userId);
      authorizeGroup(batch.chat, member);
      batch.removeMember(member);
      batch.addSystemMessage(userId, "left", { event: "left", userIds: [userId] });
      const left = batch.chat.seq;
      if (batch.chat.adminCount === 0) appointSuccessor(batch, userId);
      return { chat: batch.chat, leftSeq: left };
    },
  });
  notifyRemoved(context, chatId, userId, leftSeq);
  return chat.memberCount > 0 ? presentShared(chat, await firstMembers(db, chatId)) : null;
}

function appointSuccessor(batch: ChangeBatch, exceptUserId: string): void {
  const successor = batch.seniorExcept(exceptUserId);
  if (successor === undefined) return;
  batch.setRole(successor, "admin");
  batch.addSystemMessage(successor.userId, "became an admin", { event: "adminAdded", userIds: [successor.userId] });
}

/** @throws Forbidden  not an admin; NotFound  not a member; Conflict  the last admin must stay an admin */
export async function setAdmin(context: CallContext<ChatContext>, chatId: string, memberId: string, isAdmin: boolean): Promise<Chat> {
  const { userId, timelines } = context;
  const name = await displayName(context, memberId);
  return viewOfActor(
    context,
    await timelines.append(chatId, {
      reads: { people: [userId, memberId] },
      estimatedBytes: size,
      apply(batch): GroupChangeResult {
        authorizeManage(batch.chat, batch.member(userId));
        const member = batch.member(memberId);
        if (!isActive(member)) throw new NotFound("There is no such member");
        if ((member.role === "admin") !== isAdmin) {
          if (!isAdmin && batch.chat.adminCount === 1) throw new Conflict("A group needs an admin");
          batch.setRole(member, isAdmin ? "admin" : "member");
          const userIds = [memberId];
          if (isAdmin) batch.addSystemMessage(userId, `made ${name} an admin`, { event: "adminAdded", userIds });
          else batch.addSystemMessage(userId, `made ${name} a plain member`, { event: "adminRemoved", userIds });
        }
        return { chat: batch.chat, actor: batch.member(userId)! };
      },
    }),
  );
}

/**
 * Renames the group, changes its picture, or both. Values that are already set change nothing.
 * @param picture  null removes it
 */
export async function changeGroup(
  context: CallContext<ChatContext>,
  chatId: string,
  { name, picture }: { readonly name?: string | undefined; readonly picture?: AdmittedFile | null | undefined },
): Promise<Chat> {
  if (name === undefined && picture === undefined) throw new Invalid("Name a field to change");
  const { userId, timelines } = context;
  return viewOfActor(
    context,
    await timelines.append(chatId, {
      reads: { people: [userId], files: picture == null ? [] : [picture.fileId] },
      estimatedBytes: size,
      apply(batch): GroupChangeResult {
        const actor = batch.member(userId);
        authorizeManage(batch.chat, actor);
        const isNewPicture = picture !== undefined && (picture?.fileId ?? null) !== (batch.chat.picture ?? null);
        if (isNewPicture && picture !== null) claimFile(batch, picture, "group");
        if (name !== undefined && name !== batch.chat.name) {
          batch.setSharedFields({ name });
          batch.addSystemMessage(userId, `renamed the group to "${name}"`, { event: "renamed", userIds: [], name });
        }
        if (isNewPicture) changePicture(batch, userId, picture);
        return { chat: batch.chat, actor };
      },
    }),
  );
}

function changePicture(batch: ChangeBatch, userId: string, picture: AdmittedFile | null): void {
  const { picture: old } = batch.chat;
  const writes: Operation[] = old == null ? [] : releaseFile(old);
  if (picture !== null) writes.push(referenceFile(batch.chat._id, null, picture));
  batch.addWrites(...writes);
  batch.setSharedFields({ picture: picture?.fileId ?? null });
  batch.addSystemMessage(userId, picture === null ? "removed the group's picture" : "changed the group's picture", {
    event: "picture",
    userIds: [],
  });
}

/** Reads the caller's row again: watermarks and settings are written outside the sequence, so the batch's values may be old. */
async function viewOfActor(context: CallContext<ChatContext>, { chat, actor }: GroupChangeResult): Promise<Chat> {
  return viewOf(context, chat, (await memberOf(context.db, chat._id, actor.userId)) ?? actor);
}

function notifyUser({ feed }: CallContext<ChatContext>, userId: string, note: UserNote): void {
  feed.publish(userChannel(userId), note);
}
const notifyRemoved = (context: CallContext<ChatContext>, chatId: string, userId: string, leftSeq: number): void =>
  notifyUser(context, userId, { event: "chatRemoved", data: { chatId }, left: { chatId, leftSeq } });
