/** Acts on a group: each is judged, numbered and told in the group's own sequence, with a message that says who did what. */
import { Conflict, Forbidden, Invalid, NotFound } from "../../core/errors.ts";
import { pairKey } from "../../core/ids.ts";
import { expect, type Operation } from "../../core/store/store.ts";
import type { AdmittedFile } from "../media/contract.ts";
import { claimFile, dropFile, keepFile } from "./attachments.ts";
import { relations, type ChatRow, type MemberRow } from "./collections.ts";
import type { Chat, SharedChat } from "./contract.ts";
import { exist } from "./creation.ts";
import type { Draft } from "./draft.ts";
import { authorizeGroup, authorizeManage, isActive, mayChat } from "./policy.ts";
import { presentShared } from "./present.ts";
import { learnRelation } from "./relations.ts";
import { viewOf } from "./views.ts";
import type { Work } from "./work.ts";
import { userChannel, type UserNote } from "../user-notes.ts";

/** About what such a change writes. */
const size = 1000;

/** What an act left: the chat, and who acted, as of that change. */
interface Acted {
  readonly chat: ChatRow;
  readonly actor: MemberRow;
}

/**
 * Adds a contact of the admin who asks.
 * @throws Forbidden  not an admin, or not in contact; Invalid  a member already; Conflict  the group is full
 */
export async function addToGroup(work: Work, chatId: string, newcomerId: string): Promise<Chat> {
  const { userId, config, timelines } = work;
  const pair = pairKey(userId, newcomerId);
  if (newcomerId !== userId) await learnRelation(work, userId, newcomerId);
  const [name, isSomeone] = await Promise.all([nameOf(work, newcomerId), exist(work, [newcomerId])]);
  const acted = await timelines.append(chatId, {
    needs: { people: [userId, newcomerId], pairs: [pair] },
    size,
    apply(draft) {
      const actor = draft.member(userId);
      authorizeManage(draft.chat, actor);
      if (isActive(draft.member(newcomerId)))
        throw new Invalid("A member already", [{ field: "userIdToAdd", message: "is a member already" }]);
      const relation = draft.relation(pair);
      if (relation === undefined || !mayChat(config.CONTACTS, relation.state)) throw new Forbidden("A group is made of one's contacts");
      if (!isSomeone) throw new NotFound("No such user");
      if (draft.chat.memberCount >= config.GROUP_LIMIT) throw new Conflict(`A group has at most ${config.GROUP_LIMIT} members`);
      draft.also(expect(relations, { pair, rev: relation.rev }));
      draft.join(newcomerId);
      draft.note(userId, `added ${name}`, { event: "added", userIds: [newcomerId] });
      return { chat: draft.chat, actor, newcomer: draft.member(newcomerId)! };
    },
  });
  const { joinedN, joinedSeq } = acted.newcomer;
  const data = await viewOf(work, acted.chat, acted.newcomer);
  tell(work, newcomerId, { event: "chatChanged", data, joined: { chatId, joinedN, joinedSeq } });
  return view(work, acted);
}

/** @throws Forbidden  not an admin; Invalid  oneself. Someone who is no member is none afterwards either. */
export async function removeFromGroup(work: Work, chatId: string, memberId: string): Promise<Chat> {
  const { userId, timelines } = work;
  const name = await nameOf(work, memberId);
  const acted = await timelines.append(chatId, {
    // Whoever leaves right after must find an heir beyond those removed before.
    needs: { people: [userId, memberId], seniors: true },
    size,
    apply(draft) {
      const actor = draft.member(userId);
      authorizeManage(draft.chat, actor);
      if (memberId === userId) throw new Invalid("Leave the group instead", [{ field: "userIdToRemove", message: "must be someone else" }]);
      const member = draft.member(memberId);
      if (!isActive(member)) return { chat: draft.chat, actor, leftSeq: undefined };
      draft.leave(member);
      draft.note(userId, `removed ${name}`, { event: "removed", userIds: [memberId] });
      return { chat: draft.chat, actor, leftSeq: draft.chat.seq };
    },
  });
  if (acted.leftSeq !== undefined) tellRemoved(work, chatId, memberId, acted.leftSeq);
  return view(work, acted);
}

/**
 * Leaves; a group is never without an admin, and ends with its last member.
 * @returns the group without the caller, null when it has ended
 */
export async function leaveGroup(work: Work, chatId: string): Promise<SharedChat | null> {
  const { userId, timelines, repository } = work;
  const { chat, leftSeq } = await timelines.append(chatId, {
    needs: { people: [userId], seniors: true },
    size,
    apply(draft) {
      const member = draft.member(userId);
      authorizeGroup(draft.chat, member);
      draft.leave(member);
      draft.note(userId, "left", { event: "left", userIds: [userId] });
      const left = draft.chat.seq;
      if (draft.chat.adminCount === 0) appointHeir(draft, userId);
      return { chat: draft.chat, leftSeq: left };
    },
  });
  tellRemoved(work, chatId, userId, leftSeq);
  return chat.memberCount > 0 ? presentShared(chat, await repository.firstMembers(chatId)) : null;
}

function appointHeir(draft: Draft, exceptUserId: string): void {
  const heir = draft.senior(exceptUserId);
  if (heir === undefined) return;
  draft.setRole(heir, "admin");
  draft.note(heir.userId, "became an admin", { event: "adminAdded", userIds: [heir.userId] });
}

/** @throws Forbidden  not an admin; NotFound  no member; Conflict  the last admin can't become a plain member */
export async function setAdmin(work: Work, chatId: string, memberId: string, isAdmin: boolean): Promise<Chat> {
  const { userId, timelines } = work;
  const name = await nameOf(work, memberId);
  return view(
    work,
    await timelines.append(chatId, {
      needs: { people: [userId, memberId] },
      size,
      apply(draft): Acted {
        authorizeManage(draft.chat, draft.member(userId));
        const member = draft.member(memberId);
        if (!isActive(member)) throw new NotFound("There is no such member");
        if ((member.role === "admin") !== isAdmin) {
          if (!isAdmin && draft.chat.adminCount === 1) throw new Conflict("A group needs an admin");
          draft.setRole(member, isAdmin ? "admin" : "member");
          const userIds = [memberId];
          if (isAdmin) draft.note(userId, `made ${name} an admin`, { event: "adminAdded", userIds });
          else draft.note(userId, `made ${name} a plain member`, { event: "adminRemoved", userIds });
        }
        return { chat: draft.chat, actor: draft.member(userId)! };
      },
    }),
  );
}

/**
 * Renames the group, changes its picture, or both; what is so already changes nothing.
 * @param picture  null takes it away
 */
export async function changeGroup(
  work: Work,
  chatId: string,
  { name, picture }: { readonly name?: string | undefined; readonly picture?: AdmittedFile | null | undefined },
): Promise<Chat> {
  if (name === undefined && picture === undefined) throw new Invalid("Name a field to change");
  const { userId, timelines, clock } = work;
  return view(
    work,
    await timelines.append(chatId, {
      needs: { people: [userId], files: picture == null ? [] : [picture.fileId] },
      size,
      apply(draft): Acted {
        const actor = draft.member(userId);
        authorizeManage(draft.chat, actor);
        const isNewPicture = picture !== undefined && (picture?.fileId ?? null) !== (draft.chat.picture ?? null);
        if (isNewPicture && picture !== null) claimFile(draft, picture, "group", clock.now());
        if (name !== undefined && name !== draft.chat.name) {
          draft.setShared({ name });
          draft.note(userId, `renamed the group to "${name}"`, { event: "renamed", userIds: [], name });
        }
        if (isNewPicture) changePicture(draft, userId, picture);
        return { chat: draft.chat, actor };
      },
    }),
  );
}

function changePicture(draft: Draft, userId: string, picture: AdmittedFile | null): void {
  const { picture: old } = draft.chat;
  const writes: Operation[] = old == null ? [] : dropFile(old);
  if (picture !== null) writes.push(keepFile(draft.chat._id, null, picture));
  draft.also(...writes);
  draft.setShared({ picture: picture?.fileId ?? null });
  draft.note(userId, picture === null ? "removed the group's picture" : "changed the group's picture", { event: "picture", userIds: [] });
}

/** The actor's own marks and settings are written beside the sequence, so what it knows of them may be old. */
async function view(work: Work, { chat, actor }: Acted): Promise<Chat> {
  return viewOf(work, chat, (await work.repository.member(chat._id, actor.userId)) ?? actor);
}

function tell({ feed }: Work, userId: string, note: UserNote): void {
  feed.publish(userChannel(userId), note);
}
const tellRemoved = (work: Work, chatId: string, userId: string, leftSeq: number): void =>
  tell(work, userId, { event: "chatRemoved", data: { chatId }, left: { chatId, leftSeq } });

/** For the sentence that old clients show; who can't be named now is someone. */
async function nameOf({ knownPeople }: Work, userId: string): Promise<string> {
  const [person] = await knownPeople([userId]).catch(() => []);
  return person === undefined ? "someone" : `${person.firstName} ${person.lastName}`.trim();
}
