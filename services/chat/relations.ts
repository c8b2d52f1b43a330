/**
 * How two people stand, as chat knows it: its own copy, kept current by durable events and asked of `request` before a chat is
 * refused. The copy is what chat's commits can expect, so that a block and a chat that race come out in one order.
 */
import { newId } from "../../core/ids.ts";
import { settle } from "../../core/settle.ts";
import { expect, insert, update, type Database, type Operation } from "../../core/store/store.ts";
import type { Relation } from "../request/contract.ts";
import type { Repository } from "./chat.repository.ts";
import { relations, type RelationRow } from "./collections.ts";
import type { Timelines } from "./timelines.ts";

/** What a commit says of a relation that it rests on: it still is as judged, or becomes it now. */
export function restOn(known: RelationRow | undefined, { pair, state, rev }: Relation): Operation {
  if (known === undefined) return insert(relations, { _id: newId(), pair, state, rev });
  return known.rev >= rev ? expect(relations, { pair, rev: known.rev }) : update(relations, { pair, rev: known.rev }, { state, rev });
}

/** The newer of what is known and what was asked. */
export const newer = (known: RelationRow | undefined, asked: Relation): Relation =>
  known !== undefined && known.rev >= asked.rev ? known : asked;

/**
 * Takes over a relation's new state: the copy first, so that no chat is made on the old one any more, then the pair's chat in its
 * own sequence. Repeats and late comers change nothing.
 */
export async function applyRelation(db: Database, repository: Repository, timelines: Timelines, relation: Relation): Promise<void> {
  const { pair, state, rev } = relation;
  const { outcome: isCurrent } = await settle(db, async () => {
    const [known] = await repository.relations([pair]);
    return { operations: [restOn(known, relation)], outcome: known === undefined || known.rev <= rev };
  });
  if (!isCurrent) return;
  const chat = await repository.directChat(pair);
  if (chat === undefined) return;
  await timelines.append(chat._id, {
    people: [],
    size: 0,
    apply(draft) {
      if ((draft.chat.relation?.rev ?? 0) < rev) draft.relate({ state, rev });
    },
  });
}
