/** A change of how two people stand: judged by the table on the pair's row, committed if that row is still the same, with its event. */
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

/** What pairs are kept with. */
/** Reads the pair's present row, and says who the other of the two is. */
export type FindPair = () => Promise<{ row: RequestRow | undefined; other: string }>;

/** A row as a commit writes it: the store fills in its time. */
interface RequestRowWrite extends Omit<RequestRow, "createdAt" | "updatedAt"> {
  readonly createdAt: number | StoreTime;
  readonly updatedAt: number | StoreTime;
}

/**
 * Makes of a pair what the act leads to, and forgets the lists that showed the old state. What is so already is left as it is.
 * @param message  of an invite
 * @returns the row as it is now
 * @throws Conflict, NotFound, Forbidden  as the table says
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
    // A new invite has an id of its own: a late answer to the old one must not hit it.
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

/** The blocker's own row beside the pair's: by it they find whom they blocked. */
function blockOperations(action: RelationAction, blockerId: string, blockedId: string): Operation[] {
  if (action === "block") return [insert(blocks, { _id: newId(), blockerId, blockedId, since: storeTime })];
  return action === "unblock" ? [remove(blocks, { blockerId, blockedId })] : [];
}

function announcementOperations(now: RequestRowWrite): Operation[] {
  const event = eventByState[now.state];
  return event === undefined ? [] : [announce(event, { key: now.pair, rev: now.rev, payload: present.relationEvent(now) })];
}

/** How a pair stands, for those who may have missed it. Followers read the state, and not what the event is called. */
export const relationAnnouncement = (row: RequestRow): Operation =>
  announce(eventByState[row.state] ?? requestEvents.ended, { key: row.pair, rev: row.rev, payload: present.relationEvent(row) });

/** The states that other services hear of. An invite that is open or was taken back changes nothing for them. */
const eventByState: { readonly [S in RelationState]?: EventRef<RelationEvent> } = {
  accepted: requestEvents.accepted,
  rejected: requestEvents.rejected,
  ended: requestEvents.ended,
  blocked: requestEvents.blocked,
  none: requestEvents.unblocked,
};
