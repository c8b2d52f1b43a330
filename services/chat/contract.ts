/** Declares chat's actions and events: chats, their members, and each chat's sequence of changes. `documents.ts` has the documents. */
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

/** The feed channel that carries a chat's `ChatNote`s. */
export const chatChannel = (chatId: string): Channel<ChatNote> => channel(`chat:${chatId}`);

/** The result for one message of a `send`. `stored` is false when a message with this clientId was already stored. */
export type SendResult =
  | { readonly ok: true; readonly message: Message; readonly stored: boolean }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string; readonly retryAfterMs?: number } };

const cursorDescription = "Where the last page ended, as its `Link` says";
/** Changes of one chat go to one node. A retry is safe: a second run finds what the first one stored. */
const chatChangePolicy = { timeoutMs: 10_000, retries: 1 } as const;
/** For what several members may change. It is not retried: a second run could undo what another member did after the first. */
const groupChangePolicy = { timeoutMs: 10_000 } as const;

const notAMember = "The chat does not exist, or you are not a member of it.";
const mayNotPost = "The chat does not exist, you are not a member of it, or the other member is no longer a contact.";
const notAnAdmin = "The chat does not exist, or you are not an admin of it.";
const notAGroup = "It is not a group.";
const noSuchMessage = "The message does not exist, or you may not see it.";
const noSuchPerson = "The user does not exist. Only with CONTACTS=open; otherwise 403.";
const takenClientId = "This clientId was used for another message.";

export const chat = contract("chat", {
  createDirect: {
    summary: "Create or find the direct chat with a contact; two users share one",
    access: "user",
    errors: { FORBIDDEN: "The user is not a contact.", NOT_FOUND: noSuchPerson },
    params: { receiverId: id },
    result: returns<{ chat: Chat; created: boolean }>(),
    policy: { timeoutMs: 10_000 },
  },
  createGroup: {
    summary: "Create a group of contacts; its creator is the admin",
    access: "user",
    errors: { FORBIDDEN: "One of the participants is not a contact.", NOT_FOUND: noSuchPerson },
    params: { name: groupName, participants: { type: "array", items: id, min: 2, max: 2000 } },
    result: returns<Chat>(),
    policy: { timeoutMs: 10_000 },
  },
  myChats: {
    summary: "Your chats, most recently active first",
    access: "user",
    params: { limit: pageLimit, before: { type: "string", max: 64, optional: true, description: cursorDescription } },
    result: returns<{ chats: Chat[]; next?: string }>(),
    policy: { retries: 2 },
  },
  view: {
    summary: "One chat as the caller sees it, with the caller's membership",
    access: "user",
    errors: { FORBIDDEN: notAMember },
    params: { chatId: id },
    result: returns<{ chat: Chat; membership: Membership }>(),
    policy: { retries: 2 },
  },
  history: {
    summary: "A page of messages in ascending order; the newest page without a cursor",
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
    summary: "Store messages in the given order and deliver them; one result per message, in the same order",
    access: "user",
    errors: { FORBIDDEN: mayNotPost, NOT_FOUND: "The message to reply to does not exist.", CONFLICT: takenClientId },
    params: { chatId: id, messages: { type: "array", items: outgoingMessage, min: 1, max: 200 } },
    result: returns<SendResult[]>(),
    routeBy: "chatId",
    // A retry after a lost answer is safe: by clientId, a second run finds the messages that the first one stored.
    policy: { timeoutMs: 10_000, retries: 1, bulkhead: { concurrency: 2000, maxQueueSize: 20_000 } },
  },
  sync: {
    summary: "Changes after the given seq in each of your chats",
    access: "user",
    params: {
      since: {
        type: "record",
        key: id,
        value: { type: "number", integer: true, min: 0 },
        default: {},
        description: "By chat, the `seq` up to which you have every change",
      },
    },
    result: returns<{ answer: SyncAnswer; positions: SyncPosition[] }>(),
    policy: { retries: 2 },
  },
  addToGroup: {
    summary: "Add one of your contacts to a group; admins only",
    access: "user",
    errors: {
      FORBIDDEN: `${notAnAdmin} Or the user is not a contact.`,
      NOT_FOUND: `${notAGroup} ${noSuchPerson}`,
      CONFLICT: "The group is full.",
    },
    params: { chatId: id, userIdToAdd: id },
    result: returns<Chat>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  removeFromGroup: {
    summary: "Remove a member from a group; admins only",
    access: "user",
    errors: { FORBIDDEN: notAnAdmin, NOT_FOUND: notAGroup },
    params: { chatId: id, userIdToRemove: id },
    result: returns<Chat>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  leaveGroup: {
    summary:
      "Leave a group. When the last admin leaves, the longest-standing member becomes admin; when the last member leaves, the group ends",
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
    summary: "Make a group member an admin, or an admin a member; admins only",
    access: "user",
    errors: {
      FORBIDDEN: notAnAdmin,
      NOT_FOUND: `${notAGroup} Or the user is not a member.`,
      CONFLICT: "A group must keep at least one admin.",
    },
    params: { chatId: id, userId: id, isAdmin: { type: "boolean" } },
    result: returns<Chat>(),
    routeBy: "chatId",
    policy: groupChangePolicy,
  },
  members: {
    summary: "A chat's members, longest-standing first",
    access: "user",
    errors: { FORBIDDEN: notAMember },
    params: { chatId: id, after: { type: "string", max: 64, optional: true, description: cursorDescription }, limit: pageLimit },
    result: returns<{ members: MemberView[]; count: number; next?: string }>(),
    policy: { retries: 2 },
  },
  authorize: {
    summary: "Check whether the caller may post in a chat or manage it now; called before an upload is accepted",
    access: "user",
    params: { chatId: id, act: { type: "string", enum: ["post", "manage"] } },
    result: returns<null>(),
    policy: { retries: 2 },
  },
  sendFile: {
    summary: "Store and deliver a message with a file that media has accepted",
    access: "user",
    errors: { FORBIDDEN: mayNotPost, NOT_FOUND: "The message to reply to does not exist.", CONFLICT: takenClientId },
    params: {
      chatId: id,
      file: admittedFile,
      /** SHA-256 of the uploaded bytes, in hex. Distinguishes a retry from another file under the same clientId. */
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
    summary: "A file that the caller may see: a message's file or a group's picture",
    access: "user",
    errors: { NOT_FOUND: "The file does not exist, or you may not see it." },
    params: { fileId: id },
    result: returns<StoredFile>(),
    policy: { retries: 2 },
  },
  filesInUse: {
    summary: "Those of the files that a message or a group refers to",
    access: "service",
    params: fileIdsParams,
    result: returns<string[]>(),
    policy: { retries: 2 },
  },
  edit: {
    summary: "Change the text of your own message",
    access: "user",
    errors: {
      FORBIDDEN: "The message is another user's or a system message, or you may no longer post.",
      NOT_FOUND: noSuchMessage,
      CONFLICT: "The message was deleted.",
    },
    params: { messageId: id, text: messageText },
    result: returns<Message>(),
    policy: chatChangePolicy,
  },
  remove: {
    summary: "Delete a message: its content is removed, its position stays. Group admins may delete any message, others only their own",
    access: "user",
    errors: { FORBIDDEN: "The message is another user's or a system message.", NOT_FOUND: noSuchMessage },
    params: { messageId: id },
    result: returns<Message>(),
    policy: chatChangePolicy,
  },
  react: {
    summary: "Add a reaction to a message, or remove it",
    access: "user",
    errors: {
      FORBIDDEN: "It is a system message, or you may no longer post.",
      NOT_FOUND: noSuchMessage,
      CONFLICT: "The message was deleted, or already has 20 kinds of reactions.",
    },
    params: { messageId: id, emoji, on: { type: "boolean" } },
    result: returns<Message>(),
    policy: chatChangePolicy,
  },
  changeMessage: {
    summary: "Carry out edit, remove or react on the node that handles the message's chat",
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
    summary: "Change your own settings of a chat: muted until, archived, pinned",
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
    summary: "Raise your read mark; it never goes back",
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
    summary: "Raise members' delivered marks to what a gateway has delivered to their devices",
    access: "service",
    params: { chatId: id, marks: { type: "record", key: id, value: { type: "number", integer: true, min: 0 } } },
    result: returns<null>(),
    routeBy: "chatId",
    policy: chatChangePolicy,
  },
  typing: {
    summary: "Tell the other members that you are typing, or have stopped",
    access: "user",
    errors: { FORBIDDEN: mayNotPost },
    params: { chatId: id, isTyping: { type: "boolean" } },
    result: returns<null>(),
  },
  applyRelation: {
    summary: "Apply the relation of two users to their direct chat; a repeat or an older state changes nothing",
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
    summary: "A user's current memberships",
    access: "service",
    params: { userId: id },
    result: returns<Membership[]>(),
    policy: { retries: 2 },
  },
  changes: {
    summary: "A chat's changes after a seq, at most 200, with the head after them; gateways fetch missed changes with it",
    access: "service",
    params: { chatId: id, since: { type: "number", integer: true, min: 0 } },
    result: returns<Batch & { more: boolean }>(),
    policy: { retries: 2 },
  },
  moved: {
    summary: "Heads and memberships changed since a store time; gateways poll it for what the feed missed",
    access: "service",
    params: { since: { type: "number" }, cursor: { type: "string", max: 128, optional: true } },
    result: returns<{ heads: ChatHead[]; memberships: Membership[]; at: number; next?: string }>(),
    policy: { retries: 1 },
  },
  heads: {
    summary: "The heads of the given chats",
    access: "service",
    params: { chatIds: { type: "array", items: id, max: 1000 } },
    result: returns<ChatHead[]>(),
    policy: { retries: 2 },
  },
});

/** Durable events that chat publishes. */
export const chatEvents = events("chat", {
  /** Nothing refers to this file or picture any more. */
  "file.dropped": returns<{ fileId: string }>(),
});
export const chatFiles = { inUse: chat.filesInUse, released: chatEvents["file.dropped"] } as const satisfies FileUser;
