/**
 * How two people stand, as chat knows it: its own copy, kept current by durable events and asked of `request` before a chat is
 * refused. The copy is what chat's commits can expect, so that a block and a chat that race come out in one order.
 */
import { newId } from "../../core/ids.ts";
import { codeOf } from "../../core/errors.ts";
import { Duplicate, expect, insert, update, type Database, type Operation } from "../../core/store/store.ts";
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

/** Whether a failed commit only lost a race, so that it may be judged again. */
export const lostRace = (error: unknown): boolean => error instanceof Duplicate || codeOf(error) === "CONFLICT";

/**
 * Takes over a relation's new state: the copy first, so that no chat is made on the old one any more, then the pair's chat in its
 * own sequence. Repeats and late comers change nothing.
 */
export async function applyRelation(db: Database, repository: Repository, timelines: Timelines, relation: Relation): Promise<void> {
  const { pair, state, rev } = relation;
  for (;;) {
    const [known] = await repository.relations([pair]);
    if (known !== undefined && known.rev > rev) return;
    if (known?.rev === rev) break;
    try {
      await db.commit([restOn(known, relation)]);
      break;
    } catch (error) {
      if (!lostRace(error)) throw error;
    }
  }
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
