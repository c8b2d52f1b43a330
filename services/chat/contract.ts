/** What chat offers: chats, their members, and the one sequence of changes each chat has. Times that leave are ISO-8601. */
import { contract, returns } from "../../core/contract.ts";
import { id, messageText, pageLimit, visibleName } from "../../core/rules.ts";

export type Role = "member" | "admin";

/** A message as clients see it. `n` never changes; `seq` is the chat's change number at the message's last change. */
export interface Message {
  readonly _id: string;
  readonly chatId: string;
  readonly senderId: string;
  readonly n: number;
  readonly seq: number;
  readonly kind: "text" | "file" | "system";
  readonly text: string;
  readonly clientId: string;
  readonly replyTo: string | null;
  readonly reactions: { readonly [emoji: string]: { readonly count: number; readonly userIds: readonly string[] } };
  readonly system?: SystemNote;
  /** At most 50 ids, the sender's among them; `readCount` is the whole number. */
  readonly readBy: readonly string[];
  readonly readCount: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
  /** Part of the documents that PingTalk's clients know. */
  readonly __v: 0;
}
export interface SystemNote {
  readonly event: "created" | "added" | "removed" | "left" | "renamed" | "picture" | "adminAdded" | "adminRemoved";
  readonly userIds: readonly string[];
  readonly name?: string;
}

export interface MemberView {
  readonly userId: string;
  readonly role: Role;
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
  readonly picture: string | null;
  /** At most 50 members here and in `participants`; `memberCount` is the whole number. */
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
  readonly muted: boolean;
  readonly archived: boolean;
  readonly pinned: boolean;
}

/** What came of one message of a `send`. `stored` is false when this clientId had been stored before. */
export type Sent =
  | { readonly ok: true; readonly message: Message; readonly stored: boolean }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string; readonly retryAfterMs?: number } };

export interface SyncAnswer {
  readonly chats: readonly Chat[];
  readonly messages: { readonly [chatId: string]: readonly Message[] };
  /** Where the answer ends in each chat; a chat in `more` that was not reached has none. */
  readonly seq: { readonly [chatId: string]: number };
  readonly more: readonly string[];
  readonly removed: readonly string[];
  readonly reset: readonly string[];
}

/** From when to when a person is in a chat: messages with `n > joinedN`, changes with `seq` below `leftSeq`. */
export interface Membership {
  readonly chatId: string;
  readonly userId: string;
  readonly joinedN: number;
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
}

/** Where an answer leaves a client in a chat that it has whole: what comes after is live. */
export interface Position {
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
  readonly membersSeq: number;
  readonly changes: readonly Message[];
  readonly memberChanges: readonly Membership[];
}

/** A chat's head, as far as a gateway needs it to see whether it missed something. */
export interface Head {
  readonly chatId: string;
  readonly seq: number;
  readonly n: number;
  readonly membersSeq: number;
}

/** The feed channel on which a chat's `Batch`es go. */
export const chatChannel = (chatId: string): string => `chat:${chatId}`;

const sentMessage = {
  type: "object",
  props: {
    text: messageText,
    clientId: { type: "string", min: 1, max: 64 },
    replyTo: { ...id, optional: true },
  },
} as const;

export const chat = contract("chat", {
  createDirect: {
    summary: "The chat of two contacts; there is one, whoever asks first",
    access: "user",
    params: { receiverId: id },
    result: returns<{ chat: Chat; created: boolean }>(),
    policy: { timeoutMs: 10_000 },
  },
  createGroup: {
    summary: "A group of contacts, its creator the admin",
    access: "user",
    params: { name: { ...visibleName, min: 1, max: 100 }, participants: { type: "array", items: id, min: 2, max: 2000 } },
    result: returns<Chat>(),
    policy: { timeoutMs: 10_000 },
  },
  myChats: {
    summary: "One's chats, last activity first",
    access: "user",
    params: { limit: pageLimit, before: { type: "string", max: 64, optional: true } },
    result: returns<{ chats: Chat[]; next?: string }>(),
    policy: { retries: 2 },
  },
  view: {
    summary: "One chat as one sees it, and one's membership",
    access: "user",
    params: { chatId: id },
    result: returns<{ chat: Chat; membership: Membership }>(),
    policy: { retries: 2 },
  },
  history: {
    summary: "A page of messages by ordinal, ascending; without a cursor the newest",
    access: "user",
    params: {
      chatId: id,
      before: { type: "number", integer: true, min: 1, optional: true, convert: true },
      after: { type: "number", integer: true, min: 0, optional: true, convert: true },
      limit: pageLimit,
    },
    result: returns<{ messages: Message[]; more: boolean }>(),
    policy: { retries: 2 },
  },
  send: {
    summary: "Store messages in the order given and deliver them; answers each, in the same order",
    access: "user",
    params: { chatId: id, messages: { type: "array", items: sentMessage, min: 1, max: 200 } },
    result: returns<Sent[]>(),
    routeBy: "chatId",
    // A lost answer is repeated safely: the clientId makes a second run find the first one's messages.
    policy: { timeoutMs: 10_000, retries: 1, bulkhead: { concurrency: 2000, maxQueueSize: 20_000 } },
  },
  sync: {
    summary: "What changed after the given seq in all own chats",
    access: "user",
    params: { since: { type: "record", key: id, value: { type: "number", integer: true, min: 0 }, default: {} } },
    result: returns<{ answer: SyncAnswer; positions: Position[] }>(),
    policy: { retries: 2 },
  },
  memberships: {
    summary: "The chats a person is in now",
    access: "service",
    params: { userId: id },
    result: returns<Membership[]>(),
    policy: { retries: 2 },
  },
  changes: {
    summary: "A chat's changes after a seq, at most 200, and the head they lead to; repairs a gateway's gap",
    access: "service",
    params: { chatId: id, since: { type: "number", integer: true, min: 0 } },
    result: returns<Batch & { more: boolean }>(),
    policy: { retries: 2 },
  },
  moved: {
    summary: "Heads and memberships changed since a store time; what a gateway compares with what it heard",
    access: "service",
    params: { since: { type: "number" }, cursor: { type: "string", max: 128, optional: true } },
    result: returns<{ heads: Head[]; memberships: Membership[]; at: number; next?: string }>(),
    policy: { retries: 1 },
  },
  heads: {
    summary: "The heads of these chats",
    access: "service",
    params: { chatIds: { type: "array", items: id, max: 1000 } },
    result: returns<Head[]>(),
    policy: { retries: 2 },
  },
});
