/**
 * Profiles as they are stored, one row a person under the person's own id. A row comes from whichever is first, the event of the
 * sign-up or a look at an account that profile did not know yet; both only add it where it is missing, so neither undoes a change.
 */
import { commitWithRetry } from "../../core/store/commit-with-retry.ts";
import {
  collection,
  expect,
  insert,
  remove,
  storeTime,
  update,
  Duplicate,
  type Database,
  type Fields,
  type Operation,
} from "../../core/store/store.ts";
import { announce } from "../../mixins/outbox.ts";
import type { Account } from "../auth/contract.ts";
import { profileEvents } from "./contract.ts";

export interface ProfileRow {
  /** The person's id. */
  readonly _id: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly about: string | null;
  readonly gender: string | null;
  readonly age: number | null;
  /** A file of media. */
  readonly pictureId?: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** The account is gone; the row stays, so that a late repeat of the sign-up's event does not bring the profile back. */
  readonly deletedAt: number | null;
}

export const profiles = collection<ProfileRow>()("profiles", { byPicture: { fields: ["pictureId"], unique: true } });

const blank = { firstName: "", lastName: "", about: null, gender: null, age: null, pictureId: null } as const;

/** The profile that a person has from sign-up on. */
export const initialProfile = ({ userId, firstName, lastName, createdAt }: Account): ProfileRow => ({
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

/** Changes a live profile; a picture that it had before goes in the same commit. @returns whether there is such a profile */
export async function changeProfile(db: Database, userId: string, changes: Fields<ProfileRow>): Promise<boolean> {
  const { outcome } = await commitWithRetry(db, async () => {
    const row = await db.get(profiles, userId);
    if (row?.deletedAt !== null) return { operations: [], outcome: false };
    const set: Fields<ProfileRow> = { ...changes, updatedAt: storeTime };
    return { operations: [update(profiles, expectedRow(row), set), ...announceReplacedPicture(row, changes.pictureId)], outcome: true };
  });
  return outcome;
}

/**
 * Erases a profile, known or not, and leaves its tombstone. The row is replaced, not updated, so that it keeps only what is written
 * here: fields that were added later are erased too, even those that only another release knows.
 */
export async function eraseProfile(db: Database, userId: string): Promise<void> {
  await commitWithRetry(db, async () => {
    const row = await db.get(profiles, userId);
    const removal = row === undefined ? [] : [expect(profiles, expectedRow(row)), remove(profiles, { _id: userId })];
    const createdAt = row?.createdAt ?? storeTime;
    const tombstone = insert(profiles, { _id: userId, ...blank, createdAt, updatedAt: storeTime, deletedAt: storeTime });
    return { operations: [...removal, tombstone, ...announceReplacedPicture(row, null)], outcome: undefined };
  });
}

/** Those of the files that are someone's picture. */
export async function picturesInUse(db: Database, fileIds: readonly string[]): Promise<string[]> {
  const rows = await db.find(
    profiles,
    fileIds.map((pictureId) => ({ pictureId })),
  );
  return rows.map(({ pictureId }) => pictureId!);
}

/** The picture must still be the one that was seen, or one would be lost unannounced. */
const expectedRow = ({ _id, deletedAt, pictureId }: ProfileRow) => ({ _id, deletedAt, pictureId: pictureId ?? null });

/** @param next  undefined leaves the picture as it is */
function announceReplacedPicture(row: ProfileRow | undefined, next: ProfileRow["pictureId"] | symbol): Operation[] {
  const before = row?.pictureId ?? null;
  if (before === null || next === undefined || next === before) return [];
  return [announce(profileEvents["picture.dropped"], { key: before, rev: 1, payload: { fileId: before } })];
}
