/**
 * Profiles as they are stored, one row a person under the person's own id. A row comes from whichever is first, the event of the
 * sign-up or a look at an account that profile did not know yet; both only add it where it is missing, so neither undoes a change.
 */
import { collection, insert, storeTime, update, upsert, Duplicate, type Database, type Fields } from "../../core/store/store.ts";
import type { Account } from "../auth/contract.ts";

export interface ProfileRow {
  /** The person's id. */
  readonly _id: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly about: string | null;
  readonly gender: string | null;
  readonly age: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** The account is gone; the row stays, so that a late repeat of the sign-up's event does not bring the profile back. */
  readonly deletedAt: number | null;
}

export const profiles = collection<ProfileRow>()("profiles", {});

const blank = { firstName: "", lastName: "", about: null, gender: null, age: null } as const;

/** The profile that a person has from sign-up on. */
export const firstProfile = ({ userId, firstName, lastName, createdAt }: Account): ProfileRow => ({
  _id: userId,
  ...blank,
  firstName,
  lastName,
  createdAt,
  updatedAt: createdAt,
  deletedAt: null,
});

/** Adds the row unless there is one, live or deleted. */
export async function addProfile(db: Database, row: ProfileRow): Promise<void> {
  try {
    await db.commit([insert(profiles, row)]);
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
  }
}

/** Changes a live profile. Throws `Conflict` when there is none. */
export async function changeProfile(db: Database, userId: string, changes: Fields<ProfileRow>): Promise<void> {
  await db.commit([update(profiles, { _id: userId, deletedAt: null }, { ...changes, updatedAt: storeTime })]);
}

/** Erases a profile, known or not, and leaves its tombstone. */
export async function eraseProfile(db: Database, userId: string): Promise<void> {
  const erased = { ...blank, updatedAt: storeTime, deletedAt: storeTime } as const;
  await db.commit([upsert(profiles, { _id: userId }, erased, { createdAt: storeTime })]);
}
