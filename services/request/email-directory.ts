/**
 * Finds users by e-mail address in a copy of auth's accounts, which events keep current, so most invites need no call of auth. If the
 * copy has no clear answer, call auth: a late event must not make a user unknown.
 */
import { call, type Ctx } from "../../core/contract/call.ts";
import { collection, insert, update, type Database } from "../../core/store/store.ts";
import { auth } from "../auth/contract.ts";

export interface PersonRow {
  /** The user's id. */
  readonly _id: string;
  /** Null if the account was deleted. The row stays, so that a late event can't restore it. */
  readonly emailId: string | null;
  /** `rev` of the newest event received for the account. */
  readonly rev: number;
}

/** Not unique: when an address moves to another user, the two events may arrive in either order. */
export const people = collection<PersonRow>()("people", { byEmail: { fields: ["emailId", "_id"] } });

/** The id of the user with this address, if any. */
export async function personByEmail(db: Database, ctx: Ctx<unknown>, emailId: string): Promise<string | undefined> {
  const [person, another] = await db.page(people, { index: "byEmail", where: { emailId }, limit: 2 });
  if (person !== undefined && another === undefined) return person._id;
  return (await call(ctx, auth.accountByEmail, { emailId }))?.userId;
}

/**
 * Stores the state that an event carries, unless a newer one is stored.
 * @throws Conflict, Duplicate  another event about this user at the same time; the queue delivers this one again
 */
export async function recordPerson(db: Database, person: PersonRow): Promise<void> {
  const { _id, ...fields } = person;
  const known = await db.get(people, _id);
  if (known !== undefined && known.rev >= fields.rev) return;
  await db.commit([known === undefined ? insert(people, person) : update(people, { _id, rev: known.rev }, fields)]);
}
