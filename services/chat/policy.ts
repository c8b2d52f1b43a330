/** Decides what a user may do in a chat. Pure functions; a write decides on the same head that its commit expects. */
import { Forbidden, NotFound } from "../../core/errors.ts";
import type { Config } from "../../core/config/config.ts";
import type { RelationState } from "../request/contract.ts";
import type { ChatRow, MemberRow, MessageRow } from "./store/collections.ts";

export type ContactPolicy = Config["CONTACTS"];

export const isActive = (member: MemberRow | undefined): member is MemberRow => member !== undefined && member.leftSeq === null;

/** The only rule for what a member may see. History, sync, live events, replies and previews all use it. */
export const isVisible = (member: Pick<MemberRow, "joinedN" | "leftSeq">, message: { readonly n: number; readonly seq: number }): boolean =>
  message.n > member.joinedN && (member.leftSeq === null || message.seq < member.leftSeq);

/**
 * Whether a client must discard what it has of a chat up to `since`: the user was added again later, a restore came later, or `since`
 * is above the chat's `seq`, which only a restore can cause. A client that asks from 0 has nothing to discard.
 */
export const isVoid = (since: number, chat: Pick<ChatRow, "seq" | "resetSeq">, { joinedSeq }: Pick<MemberRow, "joinedSeq">): boolean =>
  since > 0 && (since < Math.max(joinedSeq, chat.resetSeq ?? 0) || since > chat.seq);

/** Whether two users with this relation may chat. */
export const mayChat = (contacts: ContactPolicy, state: RelationState): boolean =>
  contacts === "required" ? state === "accepted" : state !== "blocked";

/** @throws Forbidden  not a member, or the two users of a direct chat may no longer chat */
export function authorizePost(contacts: ContactPolicy, chat: ChatRow, member: MemberRow | undefined): asserts member is MemberRow {
  if (!isActive(member)) throw new Forbidden(notAMember);
  if (chat.relation !== undefined && !mayChat(contacts, chat.relation.state)) throw new Forbidden("You are not in contact any more");
}

/** @throws Forbidden  not a member; NotFound  the chat is a direct chat */
export function authorizeGroup(chat: ChatRow, member: MemberRow | undefined): asserts member is MemberRow {
  if (!isActive(member)) throw new Forbidden(notAMember);
  if (chat.kind !== "group") throw new NotFound("This is not a group");
}

/** @throws Forbidden  not an admin; and what `authorizeGroup` throws */
export function authorizeManage(chat: ChatRow, member: MemberRow | undefined): asserts member is MemberRow {
  authorizeGroup(chat, member);
  if (member.role !== "admin") throw new Forbidden("Only admins of the group may do this");
}

/** @throws Forbidden  another user's message, or a system message */
export function authorizeEdit(userId: string, message: MessageRow): void {
  if (message.kind === "system" || message.senderId !== userId) throw new Forbidden("Only its sender may change a message");
}

/** @throws Forbidden  another user's message in a chat where the caller is no admin, or a system message */
export function authorizeDelete(chat: ChatRow, member: MemberRow, message: MessageRow): void {
  const isAdmin = chat.kind === "group" && member.role === "admin";
  if (message.kind === "system" || (message.senderId !== member.userId && !isAdmin)) {
    throw new Forbidden("Only its sender and the group's admins may delete a message");
  }
}

/** Also used for a chat that does not exist, so that callers can't find out which chats exist. */
export const notAMember = "You are not a member of this chat";
