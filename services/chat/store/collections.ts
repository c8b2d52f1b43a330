/** Declares the collections of chat. Times are epoch milliseconds; ids are 24 hex digits. */
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

/** A chat with its head: `n` messages and `seq` changes so far. Every change expects the `seq` that it was numbered from. */
export interface ChatRow {
  readonly _id: string;
  readonly kind: "direct" | "group";
  /** Key of a direct chat's two users. Unique, so that two users never get two chats. */
  readonly pair?: string;
  readonly name?: string;
  /** File id of a group's picture. */
  readonly picture?: string | null;
  readonly n: number;
  readonly seq: number;
  /** The head's `seq` at the last restore. Clients must discard lower positions. */
  readonly resetSeq?: number;
  /** The head's `seq` when the name, picture, members or roles last changed. */
  readonly sharedSeq: number;
  /** Store time of the last change. Gateways poll by it for what they missed. */
  readonly changedAt: number;
  /** Relation of a direct chat's users. A newer `rev` is applied in the chat's own sequence. */
  readonly relation?: { readonly state: RelationState; readonly rev: number };
  readonly memberCount: number;
  readonly adminCount: number;
  readonly preview: PreviewRow | null;
  readonly lastActivityAt: number;
  readonly createdAt: number;
  /** Store time at which the last member left. The chat is purged afterwards. */
  readonly endedAt?: number;
}
export const chats = collection<ChatRow>()("chats", {
  byPair: { fields: ["pair"], unique: true },
  byChange: { fields: ["changedAt", "_id"] },
  byEnd: { fields: ["endedAt", "_id"] },
});

/** A user's membership in a chat. Kept after the user leaves. */
export interface MemberRow {
  readonly _id: string;
  readonly chatId: string;
  readonly userId: string;
  readonly role: Role;
  readonly joinedN: number;
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
  /** The `seq` at which the membership or the role last changed. */
  readonly changedSeq: number;
  readonly changedAt: number;
  readonly deliveredN: number;
  readonly readN: number;
  /** The member's own settings; `mutedUntil` in epoch milliseconds. */
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

/** A message's file, as media accepted it. */
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
  /** 1, 2, 3, ... Never changes. */
  readonly n: number;
  /** The chat's change number at this message's last change. */
  readonly seq: number;
  readonly kind: Message["kind"];
  readonly senderId: string;
  /** The sender, or "system". Unread counts leave out both the reader's own messages and the system's. */
  readonly authorId: string;
  readonly clientId: string;
  /** Hash of what was sent first. Distinguishes a repeat from another message with the same `clientId`. */
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
/** Fields that never change after the send, and `seq`, which the batch fills in. */
type ImmutableField =
  "_id" | "chatId" | "n" | "seq" | "kind" | "senderId" | "authorId" | "clientId" | "bodyHash" | "replyTo" | "system" | "createdAt";
/** Fields that a later change of a message may set. */
export type MessageChange = Partial<Omit<MessageRow, ImmutableField>>;
/** What remains of a deleted message's fields. Each field that a change can set is here, or it does not compile. */
export const erased: Required<Omit<MessageChange, "editedAt" | "deletedAt">> = { text: "", file: null, reactions: {} };

export const messages = collection<MessageRow>()("messages", {
  byN: { fields: ["chatId", "n"], unique: true },
  bySeq: { fields: ["chatId", "seq"], unique: true },
  byClientId: { fields: ["chatId", "senderId", "clientId"], unique: true },
  byAuthor: { fields: ["chatId", "authorId", "n"] },
});

/** Maps a file to its chat, while a message or the group's picture refers to it. */
export interface ChatFileRow extends AttachedFile {
  /** The file's id. */
  readonly _id: string;
  readonly chatId: string;
  /** Null for a group's picture. */
  readonly messageId: string | null;
}
export const files = collection<ChatFileRow>()("files", { byChat: { fields: ["chatId"] } });

/** One reaction of one user. The message's row has the summary that is shown. */
export interface ReactionRow {
  /** Ids ascend in the order of reacting. */
  readonly _id: string;
  readonly messageId: string;
  readonly userId: string;
  readonly emoji: string;
}
export const reactions = collection<ReactionRow>()("reactions", {
  byReaction: { fields: ["messageId", "userId", "emoji"], unique: true },
  byEmoji: { fields: ["messageId", "emoji", "_id"] },
});

/** Chat's copy of the relation of two users, so that its commits can expect it. */
export interface RelationRow {
  readonly _id: string;
  readonly pair: string;
  readonly state: RelationState;
  readonly rev: number;
}
export const relations = collection<RelationRow>()("relations", { byPair: { fields: ["pair"], unique: true } });

/** All of chat's collections except the outbox. */
export const chatCollections = [chats, members, messages, reactions, files, relations];
