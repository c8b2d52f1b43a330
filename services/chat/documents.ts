/** The documents of chat as they leave the server: messages, chats, and what goes over the feed. Times are ISO-8601. */

/** A message as clients see it. `n` never changes; `seq` is the chat's change number at the message's last change. */
export interface Message {
  readonly _id: string;
  readonly chatId: string;
  readonly senderId: string;
  readonly n: number;
  readonly seq: number;
  readonly kind: "text" | "file" | "system";
  /** Empty when the message was deleted, and of a file sent without one. */
  readonly text: string;
  readonly file?: MessageFile;
  readonly clientId: string;
  readonly replyTo: string | null;
  readonly reactions: Reactions;
  readonly system?: SystemNote;
  /**
   * The sender, then who has read it, longest in the chat first; at most 50 ids. `readCount` is the whole number. In a chat of more
   * than 50 members both know of the 50 longest-standing ones.
   */
  readonly readBy: readonly string[];
  readonly readCount: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
  /** Part of the documents that PingTalk's clients know. */
  readonly __v: 0;
}
/** A message's file; its bytes are at `url`, for those who may see the message. */
export interface MessageFile {
  readonly _id: string;
  readonly url: string;
  readonly thumbUrl?: string;
  readonly name: string;
  /** As the bytes say, whatever the sender called it. */
  readonly mimeType: string;
  /** Bytes. */
  readonly size: number;
  /** Pixels, of images. */
  readonly width?: number;
  readonly height?: number;
}
/** By emoji: how many, and the first 50 of them. */
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
  /** The messages there were before this member: they see those with a greater `n`. */
  readonly joinedN: number;
  /** Up to which message a device of theirs has caught up; kept in chats of up to 20 members. */
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
/** What every member sees of a chat alike. */
export interface SharedChat {
  readonly _id: string;
  readonly chatType: "direct" | "group";
  readonly name?: string;
  /** URL of a group's picture, 512 pixels square; with `?thumb=1` 96. */
  readonly picture: string | null;
  /** At most 50 members here, in `participants` and in `admins`, longest there first; `memberCount` is the whole number. */
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
  /** The other's name, or the group's. */
  readonly title: string;
  /** Messages not read yet, at most 100. */
  readonly unread: number;
  /** One's own marks, also where `members` is too short to hold them. */
  readonly readN: number;
  readonly joinedN: number;
  readonly muted: boolean;
  readonly mutedUntil: string | null;
  readonly archived: boolean;
  readonly pinned: boolean;
}

/** How far a member is: everything up to `deliveredN` is on a device of theirs, up to `readN` they have read. */
export interface Receipt {
  readonly userId: string;
  readonly deliveredN: number;
  readonly readN: number;
}

export interface SyncAnswer {
  readonly chats: readonly Chat[];
  readonly messages: { readonly [chatId: string]: readonly Message[] };
  /** Where the answer ends in each chat; a chat in `more` that was not reached has none. */
  readonly seq: { readonly [chatId: string]: number };
  readonly more: readonly string[];
  readonly removed: readonly string[];
  readonly reset: readonly string[];
  /** Of the chats that were named, where they have at most 20 members. */
  readonly receipts: { readonly [chatId: string]: readonly Receipt[] };
  /** One's own part of the chats that were named and are not in `chats`: it changes beside their `seq`. */
  readonly own: { readonly [chatId: string]: OwnPart };
}
export type OwnPart = Pick<Chat, "readN" | "muted" | "mutedUntil" | "archived" | "pinned">;

/** From when to when a person is in a chat: messages with `n > joinedN`, changes with `seq` below `leftSeq`. */
export interface Membership {
  readonly chatId: string;
  readonly userId: string;
  readonly joinedN: number;
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
}

/** Where an answer leaves a client in a chat that it has whole: what comes after is live. */
export interface SyncPosition {
  readonly membership: Membership;
  readonly seq: number;
  readonly n: number;
}

/** A run of changes of one chat, as it goes over the feed and as it is fetched to repair a gap. */
export interface Batch {
  readonly chatId: string;
  /** The head's `seq` before and after; what lies between is in `changes`, by `seq`, but for legal holes. */
  readonly prevSeq: number;
  readonly seq: number;
  readonly n: number;
  readonly memberCount: number;
  readonly changes: readonly Message[];
  /** Memberships that began, ended or changed role. */
  readonly memberChanges: readonly Membership[];
  /** When the chat's name, picture, members or roles changed: how all see it now. */
  readonly chat?: SharedChat;
}

/** What goes over a chat's channel. Only batches have a place in its sequence; the rest is forgotten when nobody hears it. */
export type ChatNote =
  | ({ readonly kind: "batch" } & Batch)
  | { readonly kind: "receipts"; readonly receipts: readonly Receipt[] }
  | { readonly kind: "typing"; readonly userId: string; readonly isTyping: boolean };

/** A chat's head, as far as a gateway needs it to see whether it missed something. */
export interface ChatHead {
  readonly chatId: string;
  readonly seq: number;
  readonly n: number;
  readonly memberCount: number;
}

/** Members that a chat's view shows. */
export const maxShownMembers = 50;
/** Up to this many members a chat's receipts are kept and told. */
export const maxMembersForReceipts = 20;
