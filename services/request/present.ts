/** Makes documents and events from request rows. */
import type { ContactRequest, RelationEvent } from "./contract.ts";
import type { RequestRow } from "./requests.repository.ts";

export const contactRequest = ({ _id, fromUserId, toUserId, state, message, createdAt, updatedAt }: RequestRow): ContactRequest => ({
  _id,
  fromUserId,
  toUserId,
  status: state,
  message,
  inviteSent: false,
  emailSent: false,
  createdAt: new Date(createdAt).toISOString(),
  updatedAt: new Date(updatedAt).toISOString(),
  __v: 0,
});

/** The event that other services receive about a pair. */
export const relationEvent = ({
  _id,
  pair,
  state,
  rev,
  fromUserId,
  toUserId,
}: Pick<RequestRow, "_id" | "pair" | "state" | "rev" | "fromUserId" | "toUserId">): RelationEvent => ({
  pair,
  state,
  rev,
  requestId: _id,
  fromUserId,
  toUserId,
});
