/** Who may do what in a chat. Pure, and judged on the head that is written on. */
import { Forbidden, NotFound } from "../../core/errors.ts";
import type { Config } from "../../core/config/config.ts";
import type { RelationState } from "../request/contract.ts";
import type { ChatRow, MemberRow, MessageRow } from "./store/collections.ts";

export type ContactPolicy = Config["CONTACTS"];

export const isActive = (member: MemberRow | undefined): member is MemberRow => member !== undefined && member.leftSeq === null;

/** The one rule of what a member may see: history, sync, live events, replies and previews all ask it. */
export const isVisible = (member: Pick<MemberRow, "joinedN" | "leftSeq">, message: { readonly n: number; readonly seq: number }): boolean =>
  message.n > member.joinedN && (member.leftSeq === null || message.seq < member.leftSeq);

/**
 * Whether what a client holds of a chat up to `since` is void: from before it was added again, from before a restore, or from beyond
 * the chat's end, which only a restore can explain. Who asks from 0 holds nothing.
 */
export const isVoid = (since: number, chat: Pick<ChatRow, "seq" | "resetSeq">, { joinedSeq }: Pick<MemberRow, "joinedSeq">): boolean =>
  since > 0 && (since < Math.max(joinedSeq, chat.resetSeq ?? 0) || since > chat.seq);

/** Whether two people who stand like this may chat. */
export const mayChat = (contacts: ContactPolicy, state: RelationState): boolean =>
  contacts === "required" ? state === "accepted" : state !== "blocked";

/** @throws Forbidden  not a member, or the two of a direct chat may not chat any more */
export function authorizePost(contacts: ContactPolicy, chat: ChatRow, member: MemberRow | undefined): asserts member is MemberRow {
  if (!isActive(member)) throw new Forbidden(notAMember);
  if (chat.relation !== undefined && !mayChat(contacts, chat.relation.state)) throw new Forbidden("You are not in contact any more");
}

/** @throws Forbidden  not a member; NotFound  a direct chat, which has nothing to manage */
export function authorizeGroup(chat: ChatRow, member: MemberRow | undefined): asserts member is MemberRow {
  if (!isActive(member)) throw new Forbidden(notAMember);
  if (chat.kind !== "group") throw new NotFound("This is not a group");
}

/** @throws Forbidden  not an admin; and what `authorizeGroup` throws */
export function authorizeManage(chat: ChatRow, member: MemberRow | undefined): asserts member is MemberRow {
  authorizeGroup(chat, member);
  if (member.role !== "admin") throw new Forbidden("Only admins of the group may do this");
}

/** @throws Forbidden  someone else's, or the chat's own */
export function authorizeEdit(userId: string, message: MessageRow): void {
  if (message.kind === "system" || message.senderId !== userId) throw new Forbidden("Only its sender may change a message");
}

/** @throws Forbidden  neither one's own nor in a group one is an admin of; or the chat's own */
export function authorizeDelete(chat: ChatRow, member: MemberRow, message: MessageRow): void {
  const isAdmin = chat.kind === "group" && member.role === "admin";
  if (message.kind === "system" || (message.senderId !== member.userId && !isAdmin)) {
    throw new Forbidden("Only its sender and the group's admins may delete a message");
  }
}

/** The same for a chat that does not exist: from outside the two can't be told apart. */
export const notAMember = "You are not a member of this chat";
