/**
 * How two people stand, as chat knows it: its own copy, kept current by durable events and asked of `request` before a chat is
 * refused. The copy is what chat's commits can expect, so that a block and a chat that race come out in one order.
 */
import type { CallContext } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { expect, insert, update, type Complete, type Operation } from "../../../core/store/store.ts";
import { pairKey, type Relation } from "../../request/contract.ts";
import { relations, type RelationRow } from "../store/collections.ts";
import { isActive, mayChat } from "../policy.ts";
import type { ChatContext } from "../context.ts";
import { fetchRelations } from "../peers.ts";

/** The fields that chat stores of a relation; an event carries more. */
const copied = ({ pair, state, rev }: Relation): Complete<Omit<RelationRow, "_id">> => ({ pair, state, rev });

/** What a commit says of a relation that it rests on: it still is as judged, or becomes it now. */
export function relationOperation(known: RelationRow | undefined, relation: Relation): Operation {
  const { pair, ...standing } = copied(relation);
  if (known === undefined) return insert(relations, { _id: newId(), pair, ...standing });
  const asKnown = { pair, rev: known.rev };
  return known.rev >= standing.rev ? expect(relations, asKnown) : update(relations, asKnown, standing);
}

/** The newer of what is known and what was asked. */
const newerRelation = (known: RelationRow | undefined, fetched: Relation): Relation =>
  known !== undefined && known.rev >= fetched.rev ? known : fetched;

/** How someone stands to another, and what a commit that rests on it says of it. */
export interface CheckedRelation {
  readonly relation: Relation;
  readonly operation: Operation;
}

/** How someone stands to others, newest known first; what the copy lacks or would refuse is asked of `request`. */
export async function relationsOf(
  context: CallContext<ChatContext>,
  userId: string,
  otherIds: readonly string[],
): Promise<CheckedRelation[]> {
  const { repository, config } = context;
  const known = new Map((await repository.relations(otherIds.map((other) => pairKey(userId, other)))).map((row) => [row.pair, row]));
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
 * Brings the copy up to date where it would refuse and should not, so that a change that rests on it is judged on what is so now. What
 * is refused all the same is not stored: anyone may ask about any pair.
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
 * Takes over a relation's new state: the copy first, so that no chat is made on the old one any more, then the pair's chat in its
 * own sequence. Repeats change nothing; a late comer finds the newer state, and is through when that is in force.
 */
export async function applyRelation({ db, repository, timelines }: ChatContext, relation: Relation): Promise<void> {
  const { outcome } = await commitWithRetry(db, async () => {
    const [known] = await repository.relations([relation.pair]);
    const newest = newerRelation(known, relation);
    return { operations: newest === known ? [] : [relationOperation(known, relation)], outcome: newest };
  });
  const { state, rev } = outcome;
  const chat = await repository.directChat(relation.pair);
  if (chat === undefined) return;
  await timelines.append(chat._id, {
    reads: {},
    estimatedBytes: 0,
    apply(batch) {
      if ((batch.chat.relation?.rev ?? 0) < rev) batch.setRelation({ state, rev });
    },
  });
}

/** Asks how the two of a direct chat stand, when what chat knows would refuse them. @returns whether it was out of date */
export async function refreshDirectChatRelation(context: CallContext<ChatContext>, chatId: string): Promise<boolean> {
  const { repository, config, userId } = context;
  const [chat, member] = await Promise.all([repository.chat(chatId), repository.member(chatId, userId)]);
  if (chat?.pair === undefined || !isActive(member) || mayChat(config.CONTACTS, chat.relation!.state)) return false;
  const other = chat.pair.split(":").find((id) => id !== userId)!;
  const [relation] = await fetchRelations(context, userId, [other]);
  if (relation === undefined || relation.rev <= chat.relation!.rev) return false;
  await applyRelation(context, relation);
  return mayChat(config.CONTACTS, relation.state);
}
