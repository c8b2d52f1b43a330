/** Defines request's documents as they leave the server. */
import type { ProfileSummary } from "../profile/documents.ts";

/** One state a pair of people, in either direction. */
export const relationStates = ["none", "pending", "accepted", "rejected", "cancelled", "ended", "blocked"] as const;
export type RelationState = (typeof relationStates)[number];

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
/** A contact, or someone blocked, and since when (ISO-8601). */
export interface PersonSince extends ProfileSummary {
  readonly since: string;
}
