/** Pairs of people as they are stored: one row a pair by index, in either direction, kept through all its states; and who blocks whom. */
import { collection, type Database } from "../../core/store/store.ts";
import { pairKey, type Relation, type RelationState } from "./contract.ts";
import type { PairState } from "./relations/transitions.ts";

export interface RequestRow extends PairState {
  readonly _id: string;
  readonly pair: string;
  /** Counts the changes of the pair. */
  readonly rev: number;
  readonly message: string;
  /** When the invite was sent, epoch milliseconds; a new invite on an old row begins anew. */
  readonly createdAt: number;
}

export const requests = collection<RequestRow>()("requests", {
  byPair: { fields: ["pair"], unique: true },
  bySenderAndState: { fields: ["fromUserId", "state", "updatedAt", "_id"] },
  byRecipientAndState: { fields: ["toUserId", "state", "updatedAt", "_id"] },
});

/** One a blocker and blocked, written with the pair's row. */
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

/** Which of someone's requests; `user` is the other person's field. */
export const sides = {
  sent: { index: "bySenderAndState", own: "fromUserId", user: "toUserId" },
  received: { index: "byRecipientAndState", own: "toUserId", user: "fromUserId" },
} as const;
export type RequestSide = keyof typeof sides;

/** Someone in a list of people. */
export interface PersonEntry {
  /** Of the row that puts them there. */
  readonly _id: string;
  readonly userId: string;
  /** Epoch milliseconds. */
  readonly since: number;
}
/** Where a page of them ends. */
export type PeopleCursor = readonly [since: number, _id: string];

const maxPerState = 1000;

export async function requestOfPair(db: Database, a: string, b: string): Promise<RequestRow | undefined> {
  const [row] = await db.find(requests, [{ pair: pairKey(a, b) }]);
  return row;
}

/** The requests of one side in these states, the newest first; of each state the 1000 that reached it last. */
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

/** Someone's contacts, whichever of the two asked for it, the newest first. */
export async function contactsOf(db: Database, userId: string, limit: number, cursor: PeopleCursor | undefined): Promise<PersonEntry[]> {
  const page = async ({ index, own, user }: (typeof sides)[RequestSide]) => {
    const where = { [own]: userId, state: "accepted" } as const;
    const rows = await db.page(requests, { index, where, ...(cursor === undefined ? {} : { before: cursor }), order: "desc", limit });
    return rows.map((row): PersonEntry => ({ _id: row._id, userId: row[user], since: row.updatedAt }));
  };
  const entries = (await Promise.all(Object.values(sides).map(page))).flat();
  return entries.sort((a, b) => newestFirst([a.since, a._id], [b.since, b._id])).slice(0, limit);
}

/** Whom someone has blocked, the newest first. */
export async function blockedBy(db: Database, blockerId: string, limit: number, cursor: PeopleCursor | undefined): Promise<PersonEntry[]> {
  const bound = cursor === undefined ? {} : { before: cursor };
  const rows = await db.page(blocks, { index: "byBlocker", where: { blockerId }, ...bound, order: "desc", limit });
  return rows.map(({ _id, blockedId, since }) => ({ _id, userId: blockedId, since }));
}

const newestFirst = ([timeA, idA]: PeopleCursor, [timeB, idB]: PeopleCursor): number =>
  timeB - timeA || (idA < idB ? 1 : idA > idB ? -1 : 0);

/** How a person stands to each of the others, in the order asked. */
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
