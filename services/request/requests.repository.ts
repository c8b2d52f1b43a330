/** Pairs of people as they are stored: one row a pair by index, in either direction, kept through all its states. */
import { pairKey } from "../../core/ids.ts";
import { collection, type Database } from "../../core/store/store.ts";
import type { Relation } from "./contract.ts";
import type { Standing } from "./relations.ts";

export interface RequestRow extends Standing {
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
  bySender: { fields: ["fromUserId", "createdAt", "_id"] },
  byRecipient: { fields: ["toUserId", "createdAt", "_id"] },
});

/** Which of someone's requests; `user` is the other person's field. */
export const sides = {
  sent: { index: "bySender", own: "fromUserId", user: "toUserId" },
  received: { index: "byRecipient", own: "toUserId", user: "fromUserId" },
} as const;
export type Side = keyof typeof sides;

const newest = 1000;

export async function requestOfPair(db: Database, a: string, b: string): Promise<RequestRow | undefined> {
  const [row] = await db.find(requests, [{ pair: pairKey(a, b) }]);
  return row;
}

/** The newest 1000 rows of one side, newest first. */
export const newestRequests = (db: Database, side: Side, userId: string): Promise<RequestRow[]> =>
  db.page(requests, { index: sides[side].index, where: { [sides[side].own]: userId }, order: "desc", limit: newest });

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
