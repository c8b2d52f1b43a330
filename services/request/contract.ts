/** What request offers: contact requests, and how two people stand to each other. */
import { contract, events, returns } from "../../core/contract.ts";
import { emailAddress, id } from "../../core/rules.ts";
import type { ProfileSummary, Source } from "../profile/contract.ts";

/** One state a pair of people, in either direction. */
export type RelationState = "none" | "pending" | "accepted" | "rejected" | "cancelled" | "ended" | "blocked";

/** How two people stand to each other; `rev` grows with every change. A pair that never met is `none` at rev 0. */
export interface Relation {
  /** The two ids, sorted, joined by a colon. */
  readonly pair: string;
  readonly state: RelationState;
  readonly rev: number;
}

/** An invite as it leaves the server. Times are ISO-8601. */
export interface ContactRequest {
  readonly _id: string;
  readonly fromUserId: string;
  readonly toUserId: string;
  readonly status: RelationState;
  readonly message: string;
  /** Kept for old clients; nothing sets them. */
  readonly inviteSent: false;
  readonly emailSent: false;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly __v: 0;
}
/** An invite in a list, with the other person's summary. */
export interface ListedRequest extends ContactRequest {
  readonly user: ProfileSummary | null;
}

const status = { type: "string", enum: ["pending", "accepted", "rejected"], optional: true } as const;

export const request = contract("request", {
  invite: {
    summary: "Ask someone for contact; accepts theirs when it is pending",
    access: "user",
    params: { toEmail: emailAddress, message: { type: "string", trim: true, min: 1, max: 200, optional: true } },
    result: returns<ContactRequest>(),
  },
  respond: {
    summary: "Accept or reject a pending invite",
    access: "user",
    params: { requestId: id, status: { type: "string", enum: ["accepted", "rejected"] } },
    result: returns<ContactRequest>(),
  },
  cancel: {
    summary: "Take back an invite that is still pending",
    access: "user",
    params: { requestId: id },
    result: returns<null>(),
  },
  sent: {
    summary: "Invites one sent, newest first",
    access: "user",
    params: { status },
    result: returns<{ requests: ListedRequest[]; source: Source }>(),
    policy: { retries: 2 },
  },
  received: {
    summary: "Invites one received, newest first",
    access: "user",
    params: { status },
    result: returns<{ requests: ListedRequest[]; source: Source }>(),
    policy: { retries: 2 },
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
