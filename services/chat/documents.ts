/** Types of the documents that chat returns and publishes: messages, chats, and what goes over the feed. Times are ISO-8601. */

/** A message as clients see it. `n` never changes; `seq` is the chat's change number at the message's last change. */
export interface Message {
  readonly _id: string;
  readonly chatId: string;
  readonly senderId: string;
  readonly n: number;
  readonly seq: number;
  readonly kind: "text" | "file" | "system";
  /** Empty if the message was deleted, or is a file without a text. */
  readonly text: string;
  readonly file?: MessageFile;
  readonly clientId: string;
  readonly replyTo: string | null;
  readonly reactions: Reactions;
  readonly system?: SystemNote;
  /**
   * Ids of the sender and then of the readers, longest-standing member first; at most 50. `readCount` is their total number. In chats
   * of more than 50 members both consider only the 50 longest-standing ones.
   */
  readonly readBy: readonly string[];
  readonly readCount: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
  /** Always 0. Clients written for PingTalk expect it. */
  readonly __v: 0;
}
/** A message's file. Users who may see the message get its bytes from `url`. */
export interface MessageFile {
  readonly _id: string;
  readonly url: string;
  readonly thumbUrl?: string;
  readonly name: string;
  /** Detected from the bytes, not from the name or type that the sender gave. */
  readonly mimeType: string;
  /** Bytes. */
  readonly size: number;
  /** In pixels; images only. */
  readonly width?: number;
  readonly height?: number;
}
/** By emoji: how many users reacted, and the ids of the first 50. */
export interface Reactions {
  readonly [emoji: string]: { readonly count: number; readonly userIds: readonly string[] };
}
export interface SystemNote {
  readonly event: "created" | "added" | "removed" | "left" | "renamed" | "picture" | "adminAdded" | "adminRemoved";
  readonly userIds: readonly string[];
  readonly name?: string;
}

export type Role = "member" | "admin";

export interface MemberView {
  readonly userId: string;
  readonly role: Role;
  /** The chat's last `n` when the member joined. They see messages with a greater `n`. */
  readonly joinedN: number;
  /** The last message that reached one of the member's devices. Only tracked in chats of up to 20 members. */
  readonly deliveredN: number;
  readonly readN: number;
}
export interface Preview {
  readonly n: number;
  readonly senderId: string;
  readonly text: string;
  readonly kind: Message["kind"];
  readonly at: string;
}
/** The part of a chat that is the same for all members. */
export interface SharedChat {
  readonly _id: string;
  readonly chatType: "direct" | "group";
  readonly name?: string;
  /** URL of a group's picture of 512 × 512 pixels, or 96 × 96 with `?thumb=1`. */
  readonly picture: string | null;
  /** At most 50 members, longest-standing first, as in `participants` and `admins`. `memberCount` is the total. */
  readonly participants: readonly string[];
  readonly admins: readonly string[];
  readonly members: readonly MemberView[];
  readonly memberCount: number;
  readonly lastMessage: string | null;
  readonly lastMessagePreview: Preview | null;
  readonly lastN: number;
  readonly lastSeq: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly __v: 0;
}
/** A chat as one member sees it. */
export interface Chat extends SharedChat {
  /** The other user's name, or the group's. */
  readonly title: string;
  /** Number of unread messages, at most 100. */
  readonly unread: number;
  /** The member's own watermarks, even if `members` leaves them out. */
  readonly readN: number;
  readonly joinedN: number;
  readonly muted: boolean;
  readonly mutedUntil: string | null;
  readonly archived: boolean;
  readonly pinned: boolean;
}

/** A member's progress: messages up to `deliveredN` reached one of their devices, messages up to `readN` are read. */
export interface Receipt {
  readonly userId: string;
  readonly deliveredN: number;
  readonly readN: number;
}

export interface SyncAnswer {
  readonly chats: readonly Chat[];
  readonly messages: { readonly [chatId: string]: readonly Message[] };
  /** The position after this answer, by chat. A chat in `more` without an entry was not reached. */
  readonly seq: { readonly [chatId: string]: number };
  readonly more: readonly string[];
  readonly removed: readonly string[];
  readonly reset: readonly string[];
  /** Receipts of the requested chats that have at most 20 members. */
  readonly receipts: { readonly [chatId: string]: readonly Receipt[] };
  /** The member's own settings and watermarks of requested chats that are not in `chats`. They change without a new `seq`. */
  readonly own: { readonly [chatId: string]: OwnPart };
}
export type OwnPart = Pick<Chat, "readN" | "muted" | "mutedUntil" | "archived" | "pinned">;

/** The range of a chat that a member sees: messages with `n > joinedN`, changes with `seq < leftSeq`. */
export interface Membership {
  readonly chatId: string;
  readonly userId: string;
  readonly joinedN: number;
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
}

/** A client's position in a chat after an answer that completes it. Later changes arrive as live events. */
export interface SyncPosition {
  readonly membership: Membership;
  readonly seq: number;
  readonly n: number;
}

/** A range of changes of one chat, as published on the feed and as fetched to fill a gap. */
export interface Batch {
  readonly chatId: string;
  /** The head's `seq` before and after. `changes` has everything between them, ordered by `seq`, which may have holes. */
  readonly prevSeq: number;
  readonly seq: number;
  readonly n: number;
  readonly memberCount: number;
  readonly changes: readonly Message[];
  /** Memberships that began, ended or changed their role. */
  readonly memberChanges: readonly Membership[];
  /** The chat for all members, if its name, picture, members or roles changed. */
  readonly chat?: SharedChat;
}

/** A message on a chat's feed channel. Only batches belong to the chat's sequence; the others may be lost. */
export type ChatNote =
  | ({ readonly kind: "batch" } & Batch)
  | { readonly kind: "receipts"; readonly receipts: readonly Receipt[] }
  | { readonly kind: "typing"; readonly userId: string; readonly isTyping: boolean };

/** The part of a chat's head from which a gateway sees whether it missed changes. */
export interface ChatHead {
  readonly chatId: string;
  readonly seq: number;
  readonly n: number;
  readonly memberCount: number;
}

/** Maximum number of members in a chat's view. */
export const maxShownMembers = 50;
/** Chats with more members than this have no receipts. */
export const maxMembersForReceipts = 20;
