/** A change of how two people stand: judged by the table on the pair's row, committed if that row is still the same, with its event. */
import type { Logger } from "moleculer";
import type { EventRef } from "../../core/contract/contract.ts";
import { newId, pairKey } from "../../core/ids.ts";
import type { Ports } from "../../core/node/ports.ts";
import { commitWithRetry } from "../../core/store/commit-with-retry.ts";
import { expect, insert, remove, storeTime, update, type Database, type Operation, type StoreTime } from "../../core/store/store.ts";
import { announce } from "../../mixins/outbox.ts";
import { requestEvents, type RelationEvent, type RelationState } from "./contract.ts";
import { forgetLists } from "./lists.ts";
import * as present from "./present.ts";
import { transition, type Act } from "./relations.ts";
import { blocks, requests, type RequestRow } from "./requests.repository.ts";

/** What pairs are kept with. */
export interface Keeping extends Pick<Ports, "cache" | "clock" | "feed"> {
  readonly db: Database;
  readonly log: Logger;
}

/** Reads the pair's present row, and says who the other of the two is. */
export type Find = () => Promise<{ row: RequestRow | undefined; other: string }>;

/** A row as a commit writes it: the store fills in its time. */
interface Written extends Omit<RequestRow, "createdAt" | "updatedAt"> {
  readonly createdAt: number | StoreTime;
  readonly updatedAt: number | StoreTime;
}

/**
 * Makes of a pair what the act leads to, and forgets the lists that showed the old state. What is so already is left as it is.
 * @param message  of an invite
 * @returns the row as it is now
 * @throws Conflict, NotFound, Forbidden  as the table says
 */
export async function changePair(keeping: Keeping, act: Act, actor: string, find: Find, message = ""): Promise<RequestRow> {
  const { db, cache, clock } = keeping;
  const { outcome, at } = await commitWithRetry<Written>(db, async () => {
    const { row, other } = await find();
    const next = transition(row, act, { actor, other, now: clock.now() });
    if (next === null) return { operations: [], outcome: row! };
    const { isNew, ...standing } = next;
    const content: Pick<Written, "message" | "createdAt"> =
      row === undefined || isNew ? { message, createdAt: storeTime } : { message: row.message, createdAt: row.createdAt };
    // A new invite has an id of its own: a late answer to the old one must not hit it.
    const identity = { _id: row === undefined || isNew ? newId() : row._id, pair: pairKey(actor, other), rev: (row?.rev ?? 0) + 1 };
    const written: Written = { ...identity, ...standing, ...content, updatedAt: storeTime };
    return { operations: [...write(row, written), ...writeBlock(act, actor, other), ...tell(written)], outcome: written };
  });
  await forgetLists(cache, [outcome.fromUserId, outcome.toUserId]);
  const timed = (time: number | StoreTime): number => (time === storeTime ? at : time);
  return { ...outcome, createdAt: timed(outcome.createdAt), updatedAt: timed(outcome.updatedAt) };
}

function write(row: RequestRow | undefined, now: Written): Operation[] {
  if (row === undefined) return [insert(requests, now)];
  const { _id, ...fields } = now;
  if (row._id === _id) return [update(requests, { _id, rev: row.rev }, fields)];
  return [expect(requests, { _id: row._id, rev: row.rev }), remove(requests, { _id: row._id }), insert(requests, now)];
}

/** The blocker's own row beside the pair's: by it they find whom they blocked. */
function writeBlock(act: Act, blockerId: string, blockedId: string): Operation[] {
  if (act === "block") return [insert(blocks, { _id: newId(), blockerId, blockedId, since: storeTime })];
  return act === "unblock" ? [remove(blocks, { blockerId, blockedId })] : [];
}

function tell(now: Written): Operation[] {
  const ref = announced[now.state];
  return ref === undefined ? [] : [announce(ref, { key: now.pair, rev: now.rev, payload: present.relationEvent(now) })];
}

/** How a pair stands, for those who may have missed it. Followers read the state, and not what the event is called. */
export const announcement = (row: RequestRow): Operation =>
  announce(announced[row.state] ?? requestEvents.ended, { key: row.pair, rev: row.rev, payload: present.relationEvent(row) });

/** The states that other services hear of. An invite that is open or was taken back changes nothing for them. */
const announced: { readonly [S in RelationState]?: EventRef<RelationEvent> } = {
  accepted: requestEvents.accepted,
  rejected: requestEvents.rejected,
  ended: requestEvents.ended,
  blocked: requestEvents.blocked,
  none: requestEvents.unblocked,
};
