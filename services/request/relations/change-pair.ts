/** Changes the relation of a pair: the table decides on the pair's row, and the commit expects that row and announces the change. */
import type { ContactRequestContext } from "../context.ts";
import type { EventRef } from "../../../core/contract/contract.ts";
import { newId } from "../../../core/ids.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { expect, insert, remove, storeTime, update, type Operation, type StoreTime } from "../../../core/store/store.ts";
import { announce } from "../../../mixins/outbox.ts";
import { pairKey, requestEvents, type RelationEvent, type RelationState } from "../contract.ts";
import { forgetLists } from "../lists/invite-lists.ts";
import * as present from "../present.ts";
import { transition, type RelationAction } from "./transitions.ts";
import { blocks, requests, type RequestRow } from "../requests.repository.ts";

/** Reads the pair's current row, and returns it with the other user's id. */
export type FindPair = () => Promise<{ row: RequestRow | undefined; other: string }>;

/** A row to write, in which the store fills in its time. */
interface RequestRowWrite extends Omit<RequestRow, "createdAt" | "updatedAt"> {
  readonly createdAt: number | StoreTime;
  readonly updatedAt: number | StoreTime;
}

/**
 * Changes a pair by an action, and invalidates the lists that showed the old state. A state that is already reached stays unchanged.
 * @param message  the text of an invite
 * @returns the row after the change
 * @throws Conflict, NotFound, Forbidden  as given in the table
 */
export async function changePair(
  context: ContactRequestContext,
  action: RelationAction,
  actor: string,
  find: FindPair,
  message = "",
): Promise<RequestRow> {
  const { db, cache, clock } = context;
  const { outcome, at } = await commitWithRetry<RequestRowWrite>(db, async () => {
    const { row, other } = await find();
    const next = transition(row, action, { actor, other, now: clock.now() });
    if (next === null) return { operations: [], outcome: row! };
    const { isNew, ...standing } = next;
    const content: Pick<RequestRowWrite, "message" | "createdAt"> =
      row === undefined || isNew ? { message, createdAt: storeTime } : { message: row.message, createdAt: row.createdAt };
    // A new invite gets a new id, so that a late answer to the old one does not affect it.
    const identity = { _id: row === undefined || isNew ? newId() : row._id, pair: pairKey(actor, other), rev: (row?.rev ?? 0) + 1 };
    const written: RequestRowWrite = { ...identity, ...standing, ...content, updatedAt: storeTime };
    return {
      operations: [...pairOperations(row, written), ...blockOperations(action, actor, other), ...announcementOperations(written)],
      outcome: written,
    };
  });
  await forgetLists(cache, [outcome.fromUserId, outcome.toUserId]);
  const timed = (time: number | StoreTime): number => (time === storeTime ? at : time);
  return { ...outcome, createdAt: timed(outcome.createdAt), updatedAt: timed(outcome.updatedAt) };
}

function pairOperations(row: RequestRow | undefined, now: RequestRowWrite): Operation[] {
  if (row === undefined) return [insert(requests, now)];
  const { _id, ...fields } = now;
  if (row._id === _id) return [update(requests, { _id, rev: row.rev }, fields)];
  return [expect(requests, { _id: row._id, rev: row.rev }), remove(requests, { _id: row._id }), insert(requests, now)];
}

/** The row of a block beside the pair's row. Lists of blocked users read it. */
function blockOperations(action: RelationAction, blockerId: string, blockedId: string): Operation[] {
  if (action === "block") return [insert(blocks, { _id: newId(), blockerId, blockedId, since: storeTime })];
  return action === "unblock" ? [remove(blocks, { blockerId, blockedId })] : [];
}

function announcementOperations(now: RequestRowWrite): Operation[] {
  const event = eventByState[now.state];
  return event === undefined ? [] : [announce(event, { key: now.pair, rev: now.rev, payload: present.relationEvent(now) })];
}

/** Announces the state of a pair again. Followers use the state, not the name of the event. */
export const relationAnnouncement = (row: RequestRow): Operation =>
  announce(eventByState[row.state] ?? requestEvents.ended, { key: row.pair, rev: row.rev, payload: present.relationEvent(row) });

/** The states that are announced. Pending and withdrawn invites change nothing for other services. */
const eventByState: { readonly [S in RelationState]?: EventRef<RelationEvent> } = {
  accepted: requestEvents.accepted,
  rejected: requestEvents.rejected,
  ended: requestEvents.ended,
  blocked: requestEvents.blocked,
  none: requestEvents.unblocked,
};
