/** What request offers: contact requests, and how two people stand to each other. */
import { contract, events, returns } from "../../core/contract/contract.ts";
import { emailAddress, id, pageLimit } from "../../core/contract/rules.ts";
import type { Source } from "../profile/contract.ts";
import type { ContactRequest, ListedRequest, PersonSince, RelationState } from "./documents.ts";

export * from "./documents.ts";

/** How two people stand to each other; `rev` grows with every change. A pair that never met is `none` at rev 0. */
export interface Relation {
  /** The two ids, sorted, joined by a colon. */
  readonly pair: string;
  readonly state: RelationState;
  readonly rev: number;
}

const status = { type: "string", enum: ["pending", "accepted", "rejected"], optional: true } as const;

const page = {
  limit: pageLimit,
  before: {
    type: "string",
    pattern: /^\d{1,15}-[0-9a-f]{24}$/,
    messages: { stringPattern: "must be a cursor of an earlier answer" },
    optional: true,
  },
} as const;
const notInForce = "It is noted, but not in force in chats yet: the same request again puts it in force.";
/** The change itself, and chat told of it, twice where need be. */
const change = { timeoutMs: 10_000 } as const;

export const request = contract("request", {
  invite: {
    summary: "Ask someone for contact; accepts theirs when it is pending",
    access: "user",
    params: { toEmail: emailAddress, message: { type: "string", trim: true, min: 1, max: 200, optional: true } },
    result: returns<ContactRequest>(),
    errors: {
      NOT_FOUND: "Nobody has this address, or who has it can't be asked.",
      CONFLICT: "Asked already, contacts already, blocked by oneself, or declined less than a day ago.",
    },
  },
  respond: {
    summary: "Accept or reject a pending invite",
    access: "user",
    params: { requestId: id, status: { type: "string", enum: ["accepted", "rejected"] } },
    result: returns<ContactRequest>(),
    errors: { NOT_FOUND: "There is no such invite, it is not one's to answer, or it was answered." },
  },
  cancel: {
    summary: "Take back an invite that is still pending",
    access: "user",
    params: { requestId: id },
    result: returns<null>(),
    errors: {
      NOT_FOUND: "There is no such invite.",
      FORBIDDEN: "Only who sent it may take it back.",
      CONFLICT: "It was answered already.",
    },
  },
  sent: {
    summary: "Invites one sent, newest first; at most 1000 of each status",
    access: "user",
    params: { status },
    result: returns<{ requests: ListedRequest[]; source: Source }>(),
    policy: { retries: 2 },
  },
  received: {
    summary: "Invites one received, newest first; at most 1000 of each status",
    access: "user",
    params: { status },
    result: returns<{ requests: ListedRequest[]; source: Source }>(),
    policy: { retries: 2 },
  },
  connections: {
    summary: "One's contacts, the newest first",
    access: "user",
    params: page,
    result: returns<{ people: PersonSince[]; next?: string }>(),
    policy: { retries: 2 },
  },
  end: {
    summary: "End a contact: the direct chat stays readable, and nothing can be sent in it. The other is not told; a repeat is harmless",
    access: "user",
    params: { userId: id },
    result: returns<null>(),
    errors: { NOT_FOUND: "The two never were contacts.", UNAVAILABLE: notInForce },
    policy: change,
  },
  blocks: {
    summary: "Whom one has blocked, the newest first",
    access: "user",
    params: page,
    result: returns<{ people: PersonSince[]; next?: string }>(),
    policy: { retries: 2 },
  },
  block: {
    summary: "Block someone, contact or not: no invites, no messages, either way. They are not told; a repeat is harmless",
    access: "user",
    params: { userId: id },
    result: returns<null>(),
    errors: { NOT_FOUND: "There is no such person.", UNAVAILABLE: notInForce },
    policy: change,
  },
  unblock: {
    summary: "Lift one's block; contact must be asked for again",
    access: "user",
    params: { userId: id },
    result: returns<null>(),
    errors: { NOT_FOUND: "One has not blocked this person." },
  },
  relations: {
    summary: "How a person stands to each of the others, in the order asked",
    access: "service",
    params: { userId: id, otherIds: { type: "array", items: id, max: 1000 } },
    result: returns<Relation[]>(),
    policy: { retries: 2 },
  },
});

/** The pair's state after a change. */
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
