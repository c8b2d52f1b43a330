/** What chat stores. Times are epoch milliseconds; ids 24 hex digits. */
import type { RelationState } from "../request/contract.ts";
import { collection } from "../../core/store/store.ts";
import type { Message, Role, SystemNote } from "./contract.ts";

export interface PreviewRow {
  readonly messageId: string;
  readonly n: number;
  readonly senderId: string;
  readonly text: string;
  readonly kind: Message["kind"];
  readonly at: number;
}

/** A chat with its head: `n` messages so far, `seq` changes so far. Every change expects the `seq` it was numbered from. */
export interface ChatRow {
  readonly _id: string;
  readonly kind: "direct" | "group";
  /** A direct chat's two people: unique, so that two people have one chat whatever races. */
  readonly pair?: string;
  readonly name?: string;
  readonly n: number;
  readonly seq: number;
  /** The head's `seq` when a member last came, went or changed role. */
  readonly membersSeq: number;
  /** Store time of the last change; gateways ask by it what they may have missed. */
  readonly changedAt: number;
  /** How a direct chat's two people stand; a newer `rev` is applied in the chat's own sequence. */
  readonly relation?: { readonly state: RelationState; readonly rev: number };
  readonly memberCount: number;
  readonly preview: PreviewRow | null;
  readonly lastActivityAt: number;
  readonly createdAt: number;
}
export const chats = collection<ChatRow>()("chats", {
  byPair: { fields: ["pair"], unique: true },
  byChange: { fields: ["changedAt", "_id"] },
});

/** A person's time in a chat, kept when they leave. */
export interface MemberRow {
  readonly _id: string;
  readonly chatId: string;
  readonly userId: string;
  readonly role: Role;
  readonly joinedN: number;
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
  /** The `seq` at which this row last changed membership or role. */
  readonly changedSeq: number;
  readonly changedAt: number;
  readonly deliveredN: number;
  readonly readN: number;
}
export const members = collection<MemberRow>()("members", {
  byChatAndUser: { fields: ["chatId", "userId"], unique: true },
  byUser: { fields: ["userId", "leftSeq", "chatId"] },
  byPresence: { fields: ["chatId", "leftSeq", "userId"] },
  byChangedSeq: { fields: ["chatId", "changedSeq"] },
  byChange: { fields: ["changedAt", "_id"] },
});

export interface MessageRow {
  readonly _id: string;
  readonly chatId: string;
  /** 1, 2, 3, ...; never changes. */
  readonly n: number;
  /** The chat's change number at this message's last change. */
  readonly seq: number;
  readonly kind: Message["kind"];
  readonly senderId: string;
  /** The sender, or "system": what one's own unread count leaves out. */
  readonly authorId: string;
  readonly clientId: string;
  /** Of what was sent first: tells a repeat from another message under the same `clientId`. */
  readonly bodyHash: string;
  readonly text: string;
  readonly replyTo: string | null;
  readonly system?: SystemNote;
  readonly createdAt: number;
  readonly editedAt: number | null;
  readonly deletedAt: number | null;
}
export const messages = collection<MessageRow>()("messages", {
  byN: { fields: ["chatId", "n"], unique: true },
  bySeq: { fields: ["chatId", "seq"], unique: true },
  byClientId: { fields: ["chatId", "senderId", "clientId"], unique: true },
  byAuthor: { fields: ["chatId", "authorId", "n"] },
});

/** Chat's own copy of how two people stand, so that its commits can expect it. */
export interface RelationRow {
  readonly _id: string;
  readonly pair: string;
  readonly state: RelationState;
  readonly rev: number;
}
export const relations = collection<RelationRow>()("relations", { byPair: { fields: ["pair"], unique: true } });
