/**
 * Who has which e-mail address: a copy of auth's accounts, kept by their events, so that an invite need not ask auth. Whoever is
 * not in it, or not clearly, is asked of auth: an event on its way makes no one unknown.
 */
import { call, type Ctx } from "../../core/contract/call.ts";
import { collection, insert, update, type Database } from "../../core/store/store.ts";
import { auth } from "../auth/contract.ts";

export interface PersonRow {
  /** The person's id. */
  readonly _id: string;
  /** Null when the account is gone; the row stays, so that a late event does not bring it back. */
  readonly emailId: string | null;
  /** Of the account, as of the newest event seen. */
  readonly rev: number;
}

/** Not unique: when an address changes hands the two people's events may come in either order. */
export const people = collection<PersonRow>()("people", { byEmail: { fields: ["emailId", "_id"] } });

/** The id of the person with this address, if there is one. */
export async function personByEmail(db: Database, ctx: Ctx<unknown>, emailId: string): Promise<string | undefined> {
  const [person, another] = await db.page(people, { index: "byEmail", where: { emailId }, limit: 2 });
  if (person !== undefined && another === undefined) return person._id;
  return (await call(ctx, auth.accountByEmail, { emailId }))?.userId;
}

/**
 * Takes over what an event says, unless a newer one was here before.
 * @throws Conflict, Duplicate  another event about this person at the same moment; the queue hands this one out again
 */
export async function recordPerson(db: Database, person: PersonRow): Promise<void> {
  const { _id, ...fields } = person;
  const known = await db.get(people, _id);
  if (known !== undefined && known.rev >= fields.rev) return;
  await db.commit([known === undefined ? insert(people, person) : update(people, { _id, rev: known.rev }, fields)]);
}
