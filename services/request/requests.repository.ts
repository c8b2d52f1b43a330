/** Stores pairs of users, one row per pair in either direction and through all its states, and a row for each block. */
import { newestFirst, type PagePosition } from "../../core/contract/paging.ts";
import { collection, type Database } from "../../core/store/store.ts";
import { pairKey, type Relation, type RelationState } from "./contract.ts";
import type { PairState } from "./relations/transitions.ts";

export interface RequestRow extends PairState {
  readonly _id: string;
  readonly pair: string;
  /** Number of changes of the pair. */
  readonly rev: number;
  readonly message: string;
  /** When the invite was sent, epoch milliseconds. A new invite in an old row sets it again. */
  readonly createdAt: number;
}

export const requests = collection<RequestRow>()("requests", {
  byPair: { fields: ["pair"], unique: true },
  bySenderAndState: { fields: ["fromUserId", "state", "updatedAt", "_id"] },
  byRecipientAndState: { fields: ["toUserId", "state", "updatedAt", "_id"] },
});

/** One row per blocker and blocked user, written together with the pair's row. */
export interface BlockRow {
  readonly _id: string;
  readonly blockerId: string;
  readonly blockedId: string;
  /** Epoch milliseconds. */
  readonly since: number;
}
export const blocks = collection<BlockRow>()("blocks", {
  byBlockerAndBlocked: { fields: ["blockerId", "blockedId"], unique: true },
  byBlocker: { fields: ["blockerId", "since", "_id"] },
});

/** Selects a user's sent or received requests. `user` is the field with the other user. */
export const sides = {
  sent: { index: "bySenderAndState", own: "fromUserId", user: "toUserId" },
  received: { index: "byRecipientAndState", own: "toUserId", user: "fromUserId" },
} as const;
export type RequestSide = keyof typeof sides;

/** An entry in a list of users. */
export interface PersonEntry {
  /** Id of the row behind the entry. */
  readonly _id: string;
  readonly userId: string;
  /** Epoch milliseconds. */
  readonly since: number;
}

const maxPerState = 1000;

export async function requestOfPair(db: Database, a: string, b: string): Promise<RequestRow | undefined> {
  const [row] = await db.find(requests, [{ pair: pairKey(a, b) }]);
  return row;
}

/** Requests of one side in these states, newest first; at most the newest 1000 of each state. */
export async function newestRequests(
  db: Database,
  side: RequestSide,
  userId: string,
  states: readonly RelationState[],
): Promise<RequestRow[]> {
  const { index, own } = sides[side];
  const page = (state: RelationState) => db.page(requests, { index, where: { [own]: userId, state }, order: "desc", limit: maxPerState });
  const rows = (await Promise.all(states.map(page))).flat();
  return rows.sort((a, b) => newestFirst([a.createdAt, a._id], [b.createdAt, b._id]));
}

/** A user's contacts, newest first, no matter which of the two sent the invite. */
export async function contactsOf(db: Database, userId: string, limit: number, before: PagePosition | undefined): Promise<PersonEntry[]> {
  const page = async ({ index, own, user }: (typeof sides)[RequestSide]) => {
    const where = { [own]: userId, state: "accepted" } as const;
    const rows = await db.page(requests, { index, where, ...(before === undefined ? {} : { before }), order: "desc", limit });
    return rows.map((row): PersonEntry => ({ _id: row._id, userId: row[user], since: row.updatedAt }));
  };
  const entries = (await Promise.all(Object.values(sides).map(page))).flat();
  return entries.sort((a, b) => newestFirst([a.since, a._id], [b.since, b._id])).slice(0, limit);
}

/** Users that a user blocked, newest first. */
export async function blockedBy(db: Database, blockerId: string, limit: number, before: PagePosition | undefined): Promise<PersonEntry[]> {
  const bound = before === undefined ? {} : { before };
  const rows = await db.page(blocks, { index: "byBlocker", where: { blockerId }, ...bound, order: "desc", limit });
  return rows.map(({ _id, blockedId, since }) => ({ _id, userId: blockedId, since }));
}

/** Relations of a user to each of the others, in the given order. */
export async function relationsOf(db: Database, userId: string, otherIds: readonly string[]): Promise<Relation[]> {
  const pairs = otherIds.map((otherId) => pairKey(userId, otherId));
  const rows = await db.find(
    requests,
    [...new Set(pairs)].map((pair) => ({ pair })),
  );
  const byPair = new Map(rows.map((row) => [row.pair, row]));
  return pairs.map((pair) => {
    const row = byPair.get(pair);
    return { pair, state: row?.state ?? "none", rev: row?.rev ?? 0 };
  });
}
