/** Declares request's actions and events: contact requests, contacts and blocks. */
import { contract, events, returns } from "../../core/contract/contract.ts";
import { pageCursor } from "../../core/contract/paging.ts";
import { emailAddress, id, pageLimit } from "../../core/contract/rules.ts";
import type { Source } from "../profile/contract.ts";
import type { ContactRequest, ListedRequest, PersonSince, RelationState } from "./documents.ts";

export * from "./documents.ts";

/** The relation of two users. `rev` grows with each change. Users without any history are `none` at rev 0. */
export interface Relation {
  /** The two user ids, sorted and joined by a colon. */
  readonly pair: string;
  readonly state: RelationState;
  readonly rev: number;
}

const status = { type: "string", enum: ["pending", "accepted", "rejected"], optional: true } as const;

const page = { limit: pageLimit, before: pageCursor } as const;
const notInForce = "Saved, but not yet applied to chats: repeat the request to apply it.";
/** Covers the change itself and the call that applies it in chat, with one retry. */
const change = { timeoutMs: 10_000 } as const;

export const request = contract("request", {
  invite: {
    summary: "Send a contact request; accepts the other user's pending request if there is one",
    access: "user",
    params: { toEmail: emailAddress, message: { type: "string", trim: true, min: 1, max: 200, optional: true } },
    result: returns<ContactRequest>(),
    errors: {
      NOT_FOUND: "No user has this address, or the user can't be invited.",
      CONFLICT: "Already invited, already a contact, blocked by you, or rejected less than a day ago.",
    },
  },
  respond: {
    summary: "Accept or reject a pending invite",
    access: "user",
    params: { requestId: id, status: { type: "string", enum: ["accepted", "rejected"] } },
    result: returns<ContactRequest>(),
    errors: { NOT_FOUND: "The invite does not exist, was not sent to you, or was already answered." },
  },
  cancel: {
    summary: "Withdraw a pending invite",
    access: "user",
    params: { requestId: id },
    result: returns<null>(),
    errors: {
      NOT_FOUND: "The invite does not exist.",
      FORBIDDEN: "Only its sender may withdraw an invite.",
      CONFLICT: "The invite was already answered.",
    },
  },
  sent: {
    summary: "Invites that you sent, newest first; at most 1000 of each status",
    access: "user",
    params: { status },
    result: returns<{ requests: ListedRequest[]; source: Source }>(),
    policy: { retries: 2 },
  },
  received: {
    summary: "Invites that you received, newest first; at most 1000 of each status",
    access: "user",
    params: { status },
    result: returns<{ requests: ListedRequest[]; source: Source }>(),
    policy: { retries: 2 },
  },
  connections: {
    summary: "Your contacts, newest first",
    access: "user",
    params: page,
    result: returns<{ people: PersonSince[]; next?: string }>(),
    policy: { retries: 2 },
  },
  end: {
    summary:
      "End a contact: the direct chat stays readable, but no one can send in it. The other user is not notified; a repeat changes nothing",
    access: "user",
    params: { userId: id },
    result: returns<null>(),
    errors: { NOT_FOUND: "The user was never a contact.", UNAVAILABLE: notInForce },
    policy: change,
  },
  blocks: {
    summary: "Users that you blocked, newest first",
    access: "user",
    params: page,
    result: returns<{ people: PersonSince[]; next?: string }>(),
    policy: { retries: 2 },
  },
  block: {
    summary: "Block a user: no invites and no messages in either direction. The user is not notified; a repeat changes nothing",
    access: "user",
    params: { userId: id },
    result: returns<null>(),
    errors: { NOT_FOUND: "The user does not exist.", UNAVAILABLE: notInForce },
    policy: change,
  },
  unblock: {
    summary: "Unblock a user; to be contacts again takes a new invite",
    access: "user",
    params: { userId: id },
    result: returns<null>(),
    errors: { NOT_FOUND: "You have not blocked this user." },
  },
  relations: {
    summary: "The relation of a user to each of the others, in the given order",
    access: "service",
    params: { userId: id, otherIds: { type: "array", items: id, max: 1000 } },
    result: returns<Relation[]>(),
    policy: { retries: 2 },
  },
});

/** The relation after a change. */
export interface RelationEvent extends Relation {
  readonly requestId: string;
  readonly fromUserId: string;
  readonly toUserId: string;
}
export const requestEvents = events("request", {
  accepted: returns<RelationEvent>(),
  rejected: returns<RelationEvent>(),
  ended: returns<RelationEvent>(),
  blocked: returns<RelationEvent>(),
  unblocked: returns<RelationEvent>(),
});

/** The key of a pair of users, the same in either order. */
export const pairKey = (a: string, b: string): string => (a < b ? `${a}:${b}` : `${b}:${a}`);
