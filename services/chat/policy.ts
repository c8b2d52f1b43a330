/** Who may do what in a chat. Pure, and judged on the head that is written on. */
import { Forbidden } from "../../core/errors.ts";
import type { Config } from "../../core/config.ts";
import type { RelationState } from "../request/contract.ts";
import type { ChatRow, MemberRow } from "./collections.ts";

export type Contacts = Config["CONTACTS"];

export const isActive = (member: MemberRow | undefined): member is MemberRow => member !== undefined && member.leftSeq === null;

/** The one rule of what a member may see: history, sync, live events, replies and previews all ask it. */
export const visible = (member: Pick<MemberRow, "joinedN" | "leftSeq">, message: { readonly n: number; readonly seq: number }): boolean =>
  message.n > member.joinedN && (member.leftSeq === null || message.seq < member.leftSeq);

/** Whether two people who stand like this may chat. */
export const mayChat = (contacts: Contacts, state: RelationState): boolean =>
  contacts === "required" ? state === "accepted" : state !== "blocked";

/** @throws Forbidden  not a member, or the two of a direct chat may not chat any more */
export function authorizePost(contacts: Contacts, chat: ChatRow, member: MemberRow | undefined): void {
  if (!isActive(member)) throw new Forbidden(notAMember);
  if (chat.relation !== undefined && !mayChat(contacts, chat.relation.state)) throw new Forbidden("You are not in contact any more");
}

/** The same for a chat that does not exist: from outside the two can't be told apart. */
export const notAMember = "You are not a member of this chat";
