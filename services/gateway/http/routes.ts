/** The native HTTP API as a table: one row a route. Bodies and statuses are those that clients know; no logic lives here. */
import { auth, type LogIn } from "../../auth/contract.ts";
import { chat, type Message } from "../../chat/contract.ts";
import { profile } from "../../profile/contract.ts";
import { request } from "../../request/contract.ts";
import { draftRules, stored, toStore } from "../draft.ts";
import { logIns, logInsPerAccount, logInsPerAddress, passwordChanges, signUpsPerAddress } from "./allowances.ts";
import { row, type RowLimit } from "./table.ts";

const megabyte = 1024 * 1024;
const tokenOf = ({ token }: LogIn) => token;

const perAddress = (_: unknown, address: string) => address;
const logInLimits: readonly RowLimit[] = [
  { allowance: logIns, key: ({ emailId }: { emailId: string }, address) => `${address} ${emailId}` },
  { allowance: logInsPerAddress, key: perAddress },
  { allowance: logInsPerAccount, key: ({ emailId }: { emailId: string }) => emailId },
];

const authRows = [
  row({
    method: "POST",
    path: "/auth/signup",
    action: auth.signUp,
    status: 201,
    limits: [{ allowance: signUpsPerAddress, key: perAddress }],
    token: tokenOf,
    present: ({ account: { userId, firstName, lastName, emailId } }) => ({
      message: "Account created",
      data: { _id: userId, firstName, lastName, emailId },
    }),
  }),
  row({
    method: "POST",
    path: "/auth/login",
    action: auth.logIn,
    limits: logInLimits,
    token: tokenOf,
    present: ({ account: { userId, emailId }, token }) => ({ message: "Logged in", data: { id: userId, emailId, token } }),
  }),
  row({
    method: "POST",
    path: "/auth/logout",
    action: auth.logOut,
    isSessionOptional: true,
    token: () => null,
    present: () => ({ message: "Logged out" }),
  }),
  row({
    method: "PATCH",
    path: "/auth/changePassword",
    action: auth.changePassword,
    limits: [{ allowance: passwordChanges, key: (_: unknown, _address, userId) => userId }],
    present: () => ({ message: "Password changed; all other sessions have ended" }),
  }),
  row({ method: "GET", path: "/auth/getUserByEmail", action: auth.userByEmail, present: ({ userId }) => ({ userId }) }),
  row({ method: "GET", path: "/auth/me", action: auth.me, present: (account) => ({ data: account }) }),
];

const profileRows = [
  row({
    method: "GET",
    path: "/profile/getProfile",
    action: profile.mine,
    present: ({ profile, source }) => ({ data: profile, source }),
  }),
  row({
    method: "GET",
    path: "/profile/profile/:userId",
    action: profile.byId,
    present: ({ profile, source }) => ({ data: profile, source }),
  }),
  row({
    method: "PUT",
    path: "/profile/patchProfile",
    action: profile.patch,
    present: (profile) => ({ message: "Profile saved", data: profile }),
  }),
];

const requestRows = [
  row({
    method: "POST",
    path: "/request/invite/send",
    action: request.invite,
    status: 201,
    present: (invite) => ({ message: invite.status === "accepted" ? "You are connected now" : "Invite sent", data: invite }),
  }),
  row({
    method: "PATCH",
    path: "/request/respond/:requestId",
    action: request.respond,
    present: (invite) => ({ message: `Invite ${invite.status}`, data: invite }),
  }),
  row({
    method: "GET",
    path: "/request/invites/sent",
    action: request.sent,
    present: ({ requests, source }) => ({ message: "Invites sent", data: requests, count: requests.length, source }),
  }),
  row({
    method: "GET",
    path: "/request/invites/received",
    action: request.received,
    present: ({ requests, source }) => ({ message: "Invites received", data: requests, count: requests.length, source }),
  }),
  row({
    method: "DELETE",
    path: "/request/cancel/:requestId",
    action: request.cancel,
    present: () => ({ message: "Invite cancelled" }),
  }),
];

const chatRows = [
  row({
    method: "POST",
    path: "/chat/create-direct",
    action: chat.createDirect,
    status: ({ created }) => (created ? 201 : 200),
    present: ({ chat }) => chat,
  }),
  row({ method: "POST", path: "/chat/create-group", action: chat.createGroup, status: 201, present: (chat) => chat }),
  row({
    method: "GET",
    path: "/chat/my-chats",
    action: chat.myChats,
    nextPage: ({ next }, { limit }: { limit: number }) => (next === undefined ? undefined : { before: next, limit }),
    present: ({ chats }) => chats,
  }),
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
    params: draftRules,
    input: (draft) => ({ chatId: draft.chatId, messages: [toStore(draft)] }),
    status: ([sent]) => (stored(sent).stored ? 201 : 200),
    present: ([sent]) => stored(sent).message,
  }),
  row({ method: "POST", path: "/chat/sync", action: chat.sync, maxBytes: megabyte, present: ({ answer }) => answer }),
];

/** Pages go on in the direction asked: towards newer with `after`, else towards older. */
function messagesBeyond(messages: readonly Message[], { after, limit }: { after?: number; limit: number }) {
  const [first, last] = [messages[0], messages.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  return after === undefined ? { before: first.n, limit } : { after: last.n, limit };
}

export const routes = [...authRows, ...profileRows, ...requestRows, ...chatRows];
