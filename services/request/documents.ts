/** Types of the documents that request returns. Clients see them, so they import nothing but other services' documents. */
import type { ProfileSummary } from "../profile/documents.ts";

/** States of a pair of users. A pair has one state, the same in both directions. */
export const relationStates = ["none", "pending", "accepted", "rejected", "cancelled", "ended", "blocked"] as const;
export type RelationState = (typeof relationStates)[number];

/** An invite as the API returns it. Times are ISO-8601. */
export interface ContactRequest {
  readonly _id: string;
  readonly fromUserId: string;
  readonly toUserId: string;
  readonly status: RelationState;
  readonly message: string;
  /** Always false. Old clients expect these two fields. */
  readonly inviteSent: false;
  readonly emailSent: false;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly __v: 0;
}
/** An invite in a list, with the other user's summary. */
export interface ListedRequest extends ContactRequest {
  readonly user: ProfileSummary | null;
}
/** A contact or a blocked user, with the time (ISO-8601) of the contact or block. */
export interface PersonSince extends ProfileSummary {
  readonly since: string;
}
