/** Defines the routes of contact requests, contacts and blocks. */
import { request } from "../../../request/contract.ts";
import { pageBefore, row } from "../table.ts";

export const requestRows = [
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
  row({
    method: "GET",
    path: "/request/connections",
    action: request.connections,
    nextPage: pageBefore,
    present: ({ people }) => ({ message: "Contacts", data: people, count: people.length }),
  }),
  row({
    method: "DELETE",
    path: "/request/connections/:userId",
    action: request.end,
    present: () => ({ message: "Contact ended" }),
  }),
  row({
    method: "GET",
    path: "/request/blocks",
    action: request.blocks,
    nextPage: pageBefore,
    present: ({ people }) => ({ message: "People blocked", data: people, count: people.length }),
  }),
  row({ method: "PUT", path: "/request/blocks/:userId", action: request.block, present: () => ({ message: "Person blocked" }) }),
  row({ method: "DELETE", path: "/request/blocks/:userId", action: request.unblock, present: () => ({ message: "Person unblocked" }) }),
];
