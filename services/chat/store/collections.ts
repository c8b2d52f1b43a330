/** What chat stores. Times are epoch milliseconds; ids 24 hex digits. */
import type { RelationState } from "../../request/contract.ts";
import { collection } from "../../../core/store/store.ts";
import type { Message, Reactions, Role, SystemNote } from "../contract.ts";

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
  /** A group's picture, a file of media. */
  readonly picture?: string | null;
  readonly n: number;
  readonly seq: number;
  /** The head's `seq` when the chat came into a new era, by a restore: lower positions are of another time. */
  readonly resetSeq?: number;
  /** The head's `seq` when what all members see of the chat last changed: its name, picture, members or roles. */
  readonly sharedSeq: number;
  /** Store time of the last change; gateways ask by it what they may have missed. */
  readonly changedAt: number;
  /** How a direct chat's two people stand; a newer `rev` is applied in the chat's own sequence. */
  readonly relation?: { readonly state: RelationState; readonly rev: number };
  readonly memberCount: number;
  readonly adminCount: number;
  readonly preview: PreviewRow | null;
  readonly lastActivityAt: number;
  readonly createdAt: number;
  /** Store time at which the last member left; what is stored of the chat is removed from then on. */
  readonly endedAt?: number;
}
export const chats = collection<ChatRow>()("chats", {
  byPair: { fields: ["pair"], unique: true },
  byChange: { fields: ["changedAt", "_id"] },
  byEnd: { fields: ["endedAt", "_id"] },
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
  /** One's own view of the chat; `mutedUntil` in epoch milliseconds. */
  readonly mutedUntil?: number | null;
  readonly archived?: boolean;
  readonly pinned?: boolean;
}
export const members = collection<MemberRow>()("members", {
  byChatAndUser: { fields: ["chatId", "userId"], unique: true },
  byUser: { fields: ["userId", "leftSeq", "chatId"] },
  bySeniority: { fields: ["chatId", "leftSeq", "joinedSeq", "_id"] },
  byChangedSeq: { fields: ["chatId", "changedSeq", "_id"] },
  byChange: { fields: ["changedAt", "_id"] },
});

/** A message's file, as media admitted it. */
export interface AttachedFile {
  readonly fileId: string;
  readonly name: string;
  readonly mimeType: string;
  readonly size: number;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly hasThumb: boolean;
}
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
  readonly file?: AttachedFile | null;
  readonly replyTo: string | null;
  readonly reactions?: Reactions;
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

/** Which chat a file is in, as long as a message or the group's picture refers to it. */
export interface ChatFileRow extends AttachedFile {
  /** The file's id. */
  readonly _id: string;
  readonly chatId: string;
  /** Null of a group's picture. */
  readonly messageId: string | null;
}
export const files = collection<ChatFileRow>()("files", { byChat: { fields: ["chatId"] } });

/** One person's one reaction; the message's row carries what of them is shown. */
export interface ReactionRow {
  /** Made in the order of reacting. */
  readonly _id: string;
  readonly messageId: string;
  readonly userId: string;
  readonly emoji: string;
}
export const reactions = collection<ReactionRow>()("reactions", {
  byReaction: { fields: ["messageId", "userId", "emoji"], unique: true },
  byEmoji: { fields: ["messageId", "emoji", "_id"] },
});

/** Chat's own copy of how two people stand, so that its commits can expect it. */
export interface RelationRow {
  readonly _id: string;
  readonly pair: string;
  readonly state: RelationState;
  readonly rev: number;
}
export const relations = collection<RelationRow>()("relations", { byPair: { fields: ["pair"], unique: true } });
