/**
 * Keeps chat's copy of users' relations. Durable events update it, and chat asks `request` before it refuses. Commits can expect the
 * copy, so a block and a new chat that race have one order.
 */
import type { CallContext } from "../../../core/contract/call.ts";
import { codeOf } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { expect, insert, update, type Complete, type Operation } from "../../../core/store/store.ts";
import { pairKey, type Relation } from "../../request/contract.ts";
import { relations, type RelationRow } from "../store/collections.ts";
import { isActive, mayChat } from "../policy.ts";
import type { ChatContext } from "../context.ts";
import { fetchRelations } from "../peers.ts";
import { expiry } from "../timeline/change.ts";
import { chatById, directChatOf, memberOf, relationsOfPairs } from "../store/repository.ts";

/** The fields of a relation that chat stores. An event has more. */
const copied = ({ pair, state, rev }: Relation): Complete<Omit<RelationRow, "_id">> => ({ pair, state, rev });

/** The operation with which a commit expects the relation that it was decided on, or stores it. */
export function relationOperation(known: RelationRow | undefined, relation: Relation): Operation {
  const { pair, ...standing } = copied(relation);
  if (known === undefined) return insert(relations, { _id: newId(), pair, ...standing });
  const asKnown = { pair, rev: known.rev };
  return known.rev >= standing.rev ? expect(relations, asKnown) : update(relations, asKnown, standing);
}

/** The newer one of the stored and the fetched relation. */
const newerRelation = (known: RelationRow | undefined, fetched: Relation): Relation =>
  known !== undefined && known.rev >= fetched.rev ? known : fetched;

/** A relation, and the operation for a commit that depends on it. */
export interface CheckedRelation {
  readonly relation: Relation;
  readonly operation: Operation;
}

/** A user's relations to others. Fetches from `request` what the copy lacks or would refuse. */
export async function relationsOf(
  context: CallContext<ChatContext>,
  userId: string,
  otherIds: readonly string[],
): Promise<CheckedRelation[]> {
  const { db, config } = context;
  const pairs = otherIds.map((other) => pairKey(userId, other));
  const known = new Map((await relationsOfPairs(db, pairs)).map((row) => [row.pair, row]));
  const uncertain = otherIds.filter((other) => {
    const row = known.get(pairKey(userId, other));
    return row === undefined || !mayChat(config.CONTACTS, row.state);
  });
  const fetched = uncertain.length === 0 ? [] : await fetchRelations(context, userId, uncertain);
  const fetchedByPair = new Map(fetched.map((relation) => [relation.pair, relation]));
  return otherIds.map((other) => {
    const pair = pairKey(userId, other);
    const row = known.get(pair);
    const fetchedRelation = fetchedByPair.get(pair);
    const relation: Relation = fetchedRelation === undefined ? row! : newerRelation(row, fetchedRelation);
    return { relation, operation: relationOperation(row, relation) };
  });
}

/**
 * Updates the copy if it would refuse and `request` does not, so that the change is decided on the current relation. A relation that
 * still refuses is not stored, because any user can ask about any pair.
 */
export async function refreshRelation(context: CallContext<ChatContext>, userId: string, otherId: string): Promise<void> {
  await commitWithRetry(context.db, async () => {
    const checked = await relationsOf(context, userId, [otherId]);
    const allowed = checked.filter(
      ({ relation, operation }) => operation.op !== "expect" && mayChat(context.config.CONTACTS, relation.state),
    );
    return { operations: allowed.map(({ operation }) => operation), outcome: undefined };
  });
}

/**
 * Applies a new relation: first to the copy, so that no chat is created on the old one, then to the pair's chat in its own sequence.
 * A repeat changes nothing. A call with an older state returns once the newer one is applied.
 */
export async function applyRelation({ db, timelines }: ChatContext, relation: Relation): Promise<void> {
  const { outcome } = await commitWithRetry(db, async () => {
    const [known] = await relationsOfPairs(db, [relation.pair]);
    const newest = newerRelation(known, relation);
    return { operations: newest === known ? [] : [relationOperation(known, relation)], outcome: newest };
  });
  const { state, rev } = outcome;
  const chat = await directChatOf(db, relation.pair);
  if (chat === undefined) return;
  await timelines.append(chat._id, {
    reads: {},
    estimatedBytes: 0,
    apply(batch) {
      if ((batch.chat.relation?.rev ?? 0) < rev) batch.setRelation({ state, rev });
    },
  });
}

/** Fetches the relation of a direct chat's users if the stored one would refuse. @returns whether the stored one was out of date */
export async function refreshDirectChatRelation(context: CallContext<ChatContext>, chatId: string): Promise<boolean> {
  const { db, config, userId } = context;
  const [chat, member] = await Promise.all([chatById(db, chatId), memberOf(db, chatId, userId)]);
  if (chat?.pair === undefined || !isActive(member) || mayChat(config.CONTACTS, chat.relation!.state)) return false;
  const other = chat.pair.split(":").find((id) => id !== userId)!;
  const [relation] = await fetchRelations(context, userId, [other]);
  if (relation === undefined || relation.rev <= chat.relation!.rev) return false;
  await applyRelation(context, relation);
  return mayChat(config.CONTACTS, relation.state);
}

/**
 * Does something that the relation of a direct chat's users may refuse. If it is refused because of an old relation, does it again.
 * @param attempt  gets the call's expiry. Both attempts have the same, or the second could take effect after the caller gave up
 */
export async function withCurrentRelation<T>(
  context: CallContext<ChatContext>,
  chatId: string,
  attempt: (expiresAt: number) => Promise<T>,
): Promise<T> {
  const expiresAt = expiry(context.clock);
  try {
    return await attempt(expiresAt);
  } catch (error) {
    if (codeOf(error) !== "FORBIDDEN" || !(await refreshDirectChatRelation(context, chatId))) throw error;
    return attempt(expiresAt);
  }
}
