/** Defines the routes of chats and messages. */
import { chat, type Message } from "../../../chat/contract.ts";
import { maxFileBytes } from "../../../media/contract.ts";
import { messageInputRules, requireStored, messageToSend } from "../../shared/message-input.ts";
import type { Upload } from "../request/upload.ts";
import { pageBefore, row } from "../table.ts";
import { dataUriJsonBytes, dataUriOrNull } from "./pictures.ts";

const megabyte = 1024 * 1024;

const groupPicture: Upload<{ readonly chatId: string }> = {
  purpose: "group",
  fields: ["picture", "file"],
  maxBytes: maxFileBytes,
  dataUri: "picture",
  authorize: { action: chat.authorize, input: ({ chatId }) => ({ chatId, act: "manage" }) },
};

export const chatRows = [
  row({
    method: "POST",
    path: "/chat/create-direct",
    action: chat.createDirect,
    status: ({ created }) => (created ? 201 : 200),
    present: ({ chat }) => chat,
  }),
  row({ method: "POST", path: "/chat/create-group", action: chat.createGroup, status: 201, present: (chat) => chat }),
  row({ method: "PUT", path: "/chat/add-to-group", action: chat.addToGroup, present: (chat) => chat }),
  row({ method: "PUT", path: "/chat/remove-from-group", action: chat.removeFromGroup, present: (chat) => chat }),
  row({
    method: "PUT",
    path: "/chat/leave-group",
    action: chat.leaveGroup,
    present: ({ chat }) => (chat === null ? { message: "You left, and the group ended" } : { message: "You left the group", chat }),
  }),
  row({
    method: "PATCH",
    path: "/chat/groups/:chatId",
    action: chat.changeGroup,
    params: { picture: dataUriOrNull },
    sets: { picture: ({ picture }, admitted) => admitted?.file ?? (picture === null ? null : undefined) },
    maxBytes: dataUriJsonBytes,
    upload: groupPicture,
    present: (chat) => chat,
  }),
  row({
    method: "PUT",
    path: "/chat/groups/:chatId/admins/:userId",
    action: chat.setAdmin,
    summary: "Make a member of a group an admin; admins only",
    errors: ["FORBIDDEN", "NOT_FOUND"],
    sets: { isAdmin: () => true },
    present: (chat) => chat,
  }),
  row({
    method: "DELETE",
    path: "/chat/groups/:chatId/admins/:userId",
    action: chat.setAdmin,
    summary: "Remove an admin's role in a group; admins only",
    sets: { isAdmin: () => false },
    present: (chat) => chat,
  }),
  row({
    method: "GET",
    path: "/chat/members/:chatId",
    action: chat.members,
    nextPage: ({ next }) => (next === undefined ? undefined : { after: next }),
    present: ({ members, count }) => ({ data: members, count }),
  }),
  row({
    method: "GET",
    path: "/chat/my-chats",
    action: chat.myChats,
    nextPage: pageBefore,
    present: ({ chats }) => chats,
  }),
  row({ method: "PATCH", path: "/chat/settings/:chatId", action: chat.changeSettings, present: (chat) => chat }),
  row({
    method: "GET",
    path: "/chat/messages/:chatId",
    action: chat.history,
    nextPage: ({ messages, more }, params) => (more ? messagesBeyond(messages, params) : undefined),
    present: ({ messages }) => messages,
  }),
  row({
    method: "POST",
    path: "/chat/messages",
    action: chat.send,
    summary: "Store a message and deliver it to the chat's members",
    params: messageInputRules,
    sets: { messages: (message) => [messageToSend(message)] },
    status: ([sent]) => (requireStored(sent).stored ? 201 : 200),
    present: ([sent]) => requireStored(sent).message,
  }),
  row({ method: "PATCH", path: "/chat/messages/:messageId", action: chat.edit, present: (message) => message }),
  row({ method: "DELETE", path: "/chat/messages/:messageId", action: chat.remove, present: (message) => message }),
  row({
    method: "PUT",
    path: "/chat/messages/:messageId/reactions/:emoji",
    action: chat.react,
    summary: "Add a reaction to a message",
    sets: { on: () => true },
    present: (message) => message,
  }),
  row({
    method: "DELETE",
    path: "/chat/messages/:messageId/reactions/:emoji",
    action: chat.react,
    summary: "Remove your reaction from a message",
    sets: { on: () => false },
    present: (message) => message,
  }),
  row({ method: "POST", path: "/chat/read", action: chat.markRead, present: (mark) => mark }),
  row({ method: "POST", path: "/chat/sync", action: chat.sync, maxBytes: megabyte, present: ({ answer }) => answer }),
];

/** Pages continue towards newer messages with `after`, else towards older ones. */
function messagesBeyond(messages: readonly Message[], { after }: { after?: number | undefined }) {
  const [first, last] = [messages[0], messages.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  return after === undefined ? { before: first.n } : { after: last.n, before: undefined };
}
