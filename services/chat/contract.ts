/** What chat offers: chats, their members, and the one sequence of changes each chat has. Its documents are in `chat/documents.ts`. */
import { contract, events, returns } from "../../core/contract/contract.ts";
import { channel, type Channel } from "../../core/feed/feed.ts";
import { id, pageLimit } from "../../core/contract/rules.ts";
import { emoji, groupName, isoTime, messageText, outgoingMessage } from "./rules.ts";
import { admittedFile, fileIdsParams, type FileUser, type StoredFile } from "../media/contract.ts";
import { relationStates } from "../request/contract.ts";
import type {
  Batch,
  Chat,
  ChatHead,
  ChatNote,
  MemberView,
  Membership,
  Message,
  SyncPosition,
  SharedChat,
  SyncAnswer,
} from "./documents.ts";

export * from "./documents.ts";

/** The feed channel on which a chat's `ChatNote`s go. */
export const chatChannel = (chatId: string): Channel<ChatNote> => channel(`chat:${chatId}`);

/** What came of one message of a `send`. `stored` is false when this clientId had been stored before. */
export type SendResult =
  | { readonly ok: true; readonly message: Message; readonly stored: boolean }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string; readonly retryAfterMs?: number } };

const cursorDescription = "Where the last page ended, as its `Link` says";
/** Changes of one chat go to one node, and are repeated safely: a second run finds the first one's work. */
const chatChangePolicy = { timeoutMs: 10_000, retries: 1 } as const;
/** Acts on a group are not repeated by themselves: a second run could undo what someone else did after the first. */
const groupChangePolicy = { timeoutMs: 10_000 } as const;

const notAMember = "There is no such chat, or one is not a member of it.";
const mayNotPost = "There is no such chat, one is not a member of it, or not in contact with the other any more.";
const notAnAdmin = "There is no such chat, or one is not an admin of it.";
const notAGroup = "It is not a group.";
const noSuchMessage = "There is no such message, or one may not see it.";
const noSuchPerson = "There is no such person; told where anyone may be written to, else such a one is no contact either.";
const takenClientId = "This clientId was used for another message.";

export const chat = contract("chat", {
  createDirect: {
    summary: "The chat of two contacts; there is one, whoever asks first",
    access: "user",
    errors: { FORBIDDEN: "This person is not a contact.", NOT_FOUND: noSuchPerson },
    params: { receiverId: id },
    result: returns<{ chat: Chat; created: boolean }>(),
    policy: { timeoutMs: 10_000 },
  },
  createGroup: {
    summary: "A group of contacts, its creator the admin",
    access: "user",
    errors: { FORBIDDEN: "One of them is not a contact.", NOT_FOUND: noSuchPerson },
    params: { name: groupName, participants: { type: "array", items: id, min: 2, max: 2000 } },
    result: returns<Chat>(),
    policy: { timeoutMs: 10_000 },
  },
  myChats: {
    summary: "One's chats, last activity first",
    access: "user",
    params: { limit: pageLimit, before: { type: "string", max: 64, optional: true, description: cursorDescription } },
    result: returns<{ chats: Chat[]; next?: string }>(),
    policy: { retries: 2 },
  },
  view: {
    summary: "One chat as one sees it, and one's membership",
    access: "user",
    errors: { FORBIDDEN: notAMember },
    params: { chatId: id },
    result: returns<{ chat: Chat; membership: Membership }>(),
    policy: { retries: 2 },
  },
  history: {
    summary: "A page of messages by ordinal, ascending; without a cursor the newest",
    access: "user",
    errors: { FORBIDDEN: notAMember },
    params: {
      chatId: id,
      before: { type: "number", integer: true, min: 1, optional: true, convert: true, description: "Messages with a smaller `n`" },
      after: { type: "number", integer: true, min: 0, optional: true, convert: true, description: "Messages with a greater `n`" },
      limit: pageLimit,
    },
    result: returns<{ messages: Message[]; more: boolean }>(),
    policy: { retries: 2 },
  },
  send: {
    summary: "Store messages in the order given and deliver them; answers each, in the same order",
    access: "user",
    errors: { FORBIDDEN: mayNotPost, NOT_FOUND: "There is no such message to reply to.", CONFLICT: takenClientId },
    params: { chatId: id, messages: { type: "array", items: outgoingMessage, min: 1, max: 200 } },
    result: returns<SendResult[]>(),
    routeBy: "chatId",
    // A lost answer is repeated safely: the clientId makes a second run find the first one's messages.
    policy: { timeoutMs: 10_000, retries: 1, bulkhead: { concurrency: 2000, maxQueueSize: 20_000 } },
  },
  sync: {
    summary: "What changed after the given seq in all own chats",
    access: "user",
    params: {
      since: {
        type: "record",
        key: id,
        value: { type: "number", integer: true, min: 0 },
        default: {},
        description: "By chat, the `seq` up to which one has everything",
      },
    },
    result: returns<{ answer: SyncAnswer; positions: SyncPosition[] }>(),
    policy: { retries: 2 },
  },
  addToGroup: {
    summary: "Add one of one's contacts to a group; admins only",
    access: "user",
    errors: {
      FORBIDDEN: `${notAnAdmin} Or the person is not a contact.`,
      NOT_FOUND: `${notAGroup} ${noSuchPerson}`,
      CONFLICT: "The group is full.",
    },
    params: { chatId: id, userIdToAdd: id },
    result: returns<Chat>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  removeFromGroup: {
    summary: "Remove someone from a group; admins only",
    access: "user",
    errors: { FORBIDDEN: notAnAdmin, NOT_FOUND: notAGroup },
    params: { chatId: id, userIdToRemove: id },
    result: returns<Chat>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  leaveGroup: {
    summary: "Leave a group; the last admin's heir is the longest-standing member, the last member's leaving ends the group",
    access: "user",
    errors: { FORBIDDEN: notAMember, NOT_FOUND: notAGroup },
    params: { chatId: id },
    result: returns<{ chat: SharedChat | null }>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  changeGroup: {
    summary: "Rename a group or change its picture; admins only",
    access: "user",
    errors: { FORBIDDEN: notAnAdmin, NOT_FOUND: notAGroup },
    params: { chatId: id, name: { ...groupName, optional: true }, picture: { ...admittedFile, optional: true, nullable: true } },
    result: returns<Chat>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  setAdmin: {
    summary: "Make a member of a group an admin, or an admin a member; admins only",
    access: "user",
    errors: {
      FORBIDDEN: notAnAdmin,
      NOT_FOUND: `${notAGroup} Or the person is not a member.`,
      CONFLICT: "A group keeps at least one admin.",
    },
    params: { chatId: id, userId: id, isAdmin: { type: "boolean" } },
    result: returns<Chat>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  members: {
    summary: "A chat's members, longest there first",
    access: "user",
    errors: { FORBIDDEN: notAMember },
    params: { chatId: id, after: { type: "string", max: 64, optional: true, description: cursorDescription }, limit: pageLimit },
    result: returns<{ members: MemberView[]; count: number; next?: string }>(),
    policy: { retries: 2 },
  },
  authorize: {
    summary: "Whether one may post in a chat, or manage it, now; asked before a file is taken in",
    access: "user",
    params: { chatId: id, act: { type: "string", enum: ["post", "manage"] } },
    result: returns<null>(),
    policy: { retries: 2 },
  },
  sendFile: {
    summary: "Store a message with a file that media admitted, and deliver it",
    access: "user",
    errors: { FORBIDDEN: mayNotPost, NOT_FOUND: "There is no such message to reply to.", CONFLICT: takenClientId },
    params: {
      chatId: id,
      file: admittedFile,
      /** Of the bytes as sent, hex: tells a repeat from another file under the same clientId. */
      sha256: { type: "string", pattern: /^[0-9a-f]{64}$/ },
      text: { type: "string", max: 10_000, trim: true, optional: true },
      clientId: outgoingMessage.props.clientId,
      replyTo: outgoingMessage.props.replyTo,
    },
    result: returns<{ message: Message; stored: boolean }>(),
    routeBy: "chatId",
    policy: chatChangePolicy,
  },
  file: {
    summary: "A file that one may see: of a message, or a group's picture",
    access: "user",
    errors: { NOT_FOUND: "There is no such file, or one may not see it." },
    params: { fileId: id },
    result: returns<StoredFile>(),
    policy: { retries: 2 },
  },
  filesInUse: {
    summary: "Which of these files a message or a group's picture refers to",
    access: "service",
    params: fileIdsParams,
    result: returns<string[]>(),
    policy: { retries: 2 },
  },
  edit: {
    summary: "Change the text of one's own message",
    access: "user",
    errors: {
      FORBIDDEN: "It is someone else's or a system message, or one may not post any more.",
      NOT_FOUND: noSuchMessage,
      CONFLICT: "The message was deleted.",
    },
    params: { messageId: id, text: messageText },
    result: returns<Message>(),
    policy: chatChangePolicy,
  },
  remove: {
    summary: "Delete a message: its text, file and reactions go, its place stays. One's own, or any in a group one is an admin of",
    access: "user",
    errors: { FORBIDDEN: "It is someone else's or a system message.", NOT_FOUND: noSuchMessage },
    params: { messageId: id },
    result: returns<Message>(),
    policy: chatChangePolicy,
  },
  react: {
    summary: "Put a reaction on a message, or take it back",
    access: "user",
    errors: {
      FORBIDDEN: "It is a system message, or one may not post any more.",
      NOT_FOUND: noSuchMessage,
      CONFLICT: "The message was deleted, or has 20 kinds of reactions.",
    },
    params: { messageId: id, emoji, on: { type: "boolean" } },
    result: returns<Message>(),
    policy: chatChangePolicy,
  },
  changeMessage: {
    summary: "What edit, remove and react become once the message's chat is known: on the node of that chat",
    access: "service",
    params: {
      chatId: id,
      messageId: id,
      act: { type: "string", enum: ["edit", "remove", "react"] },
      text: { ...messageText, optional: true },
      emoji: { ...emoji, optional: true },
      on: { type: "boolean", optional: true },
    },
    result: returns<Message>(),
    routeBy: "chatId",
    policy: chatChangePolicy,
  },
  changeSettings: {
    summary: "One's own view of a chat: muted until, archived, pinned",
    access: "user",
    errors: { FORBIDDEN: notAMember },
    params: {
      chatId: id,
      mutedUntil: { ...isoTime, optional: true, nullable: true },
      archived: { type: "boolean", optional: true },
      pinned: { type: "boolean", optional: true },
    },
    result: returns<Chat>(),
    policy: chatChangePolicy,
  },
  markRead: {
    summary: "Raise one's read mark; it never goes back",
    access: "user",
    errors: { FORBIDDEN: notAMember },
    params: {
      chatId: id,
      n: { type: "number", integer: true, min: 0, max: Number.MAX_SAFE_INTEGER, description: "The last message read" },
    },
    result: returns<{ chatId: string; readN: number; unread: number }>(),
    routeBy: "chatId",
    policy: chatChangePolicy,
  },
  markDelivered: {
    summary: "Raise members' delivered marks: what a gateway handed to their devices",
    access: "service",
    params: { chatId: id, marks: { type: "record", key: id, value: { type: "number", integer: true, min: 0 } } },
    result: returns<null>(),
    routeBy: "chatId",
    policy: chatChangePolicy,
  },
  typing: {
    summary: "Tell the others in a chat that one types, or has stopped",
    access: "user",
    errors: { FORBIDDEN: mayNotPost },
    params: { chatId: id, isTyping: { type: "boolean" } },
    result: returns<null>(),
  },
  applyRelation: {
    summary: "Take over how two people stand, at once; a repeat, and an older state than is known, change nothing",
    access: "service",
    params: {
      pair: { type: "string", max: 64 },
      state: { type: "string", enum: relationStates },
      rev: { type: "number", integer: true, min: 0 },
    },
    result: returns<null>(),
    policy: { retries: 1 },
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
    result: returns<{ heads: ChatHead[]; memberships: Membership[]; at: number; next?: string }>(),
    policy: { retries: 1 },
  },
  heads: {
    summary: "The heads of these chats",
    access: "service",
    params: { chatIds: { type: "array", items: id, max: 1000 } },
    result: returns<ChatHead[]>(),
    policy: { retries: 2 },
  },
});

/** What chat announces. */
export const chatEvents = events("chat", {
  /** A file or picture that nothing refers to any more. */
  "file.dropped": returns<{ fileId: string }>(),
});
export const chatFiles = { inUse: chat.filesInUse, released: chatEvents["file.dropped"] } as const satisfies FileUser;
