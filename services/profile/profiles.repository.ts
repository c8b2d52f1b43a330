/**
 * Stores profiles, one row per user, under the user's id. Either the sign-up's event or the first change creates the row. Both only add
 * a missing row, so neither undoes a change.
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
  /** The user's id. */
  readonly _id: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly about: string | null;
  readonly gender: string | null;
  readonly age: number | null;
  /** File id of the picture. */
  readonly pictureId?: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Set when the account is deleted. The row stays, so that a late sign-up event can't restore the profile. */
  readonly deletedAt: number | null;
}

export const profiles = collection<ProfileRow>()("profiles", { byPicture: { fields: ["pictureId"], unique: true } });

const blank = { firstName: "", lastName: "", about: null, gender: null, age: null, pictureId: null } as const;

/** The profile that a user has from sign-up on. */
export const initialProfile = ({ userId, firstName, lastName, createdAt }: Account): ProfileRow => ({
  _id: userId,
  ...blank,
  firstName,
  lastName,
  createdAt,
  updatedAt: createdAt,
  deletedAt: null,
});

/** Adds the row if there is none, live or deleted. */
export async function addProfile(db: Database, row: ProfileRow): Promise<void> {
  try {
    await db.commit([insert(profiles, row)]);
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
  }
}

/** Changes a live profile, and releases its previous picture in the same commit. @returns whether the profile exists */
export async function changeProfile(db: Database, userId: string, changes: Fields<ProfileRow>): Promise<boolean> {
  const { outcome } = await commitWithRetry(db, async () => {
    const row = await db.get(profiles, userId);
    if (row?.deletedAt !== null) return { operations: [], outcome: false };
    const set: Fields<ProfileRow> = { ...changes, updatedAt: storeTime };
    return { operations: [update(profiles, expectedPicture(row), set), ...announceReplacedPicture(row, changes.pictureId)], outcome: true };
  });
  return outcome;
}

/**
 * Erases a profile and leaves a tombstone, even if there was no row. The row is replaced and not updated, so that only the fields written
 * here remain: fields added later are erased too, even fields that only another release knows.
 */
export async function eraseProfile(db: Database, userId: string): Promise<void> {
  await commitWithRetry(db, async () => {
    const row = await db.get(profiles, userId);
    const removal = row === undefined ? [] : [expect(profiles, expectedPicture(row)), remove(profiles, { _id: userId })];
    const createdAt = row?.createdAt ?? storeTime;
    const tombstone = insert(profiles, { _id: userId, ...blank, createdAt, updatedAt: storeTime, deletedAt: storeTime });
    return { operations: [...removal, tombstone, ...announceReplacedPicture(row, null)], outcome: undefined };
  });
}

/** Returns those of the files that are a user's picture. */
export async function picturesInUse(db: Database, fileIds: readonly string[]): Promise<string[]> {
  const rows = await db.find(
    profiles,
    fileIds.map((pictureId) => ({ pictureId })),
  );
  return rows.map(({ pictureId }) => pictureId!);
}

/** Expects the picture that was read. Otherwise a picture could be replaced without being released. */
const expectedPicture = ({ _id, deletedAt, pictureId }: ProfileRow) => ({ _id, deletedAt, pictureId: pictureId ?? null });

/** @param next  undefined keeps the current picture */
function announceReplacedPicture(row: ProfileRow | undefined, next: ProfileRow["pictureId"] | symbol): Operation[] {
  const before = row?.pictureId ?? null;
  if (before === null || next === undefined || next === before) return [];
  return [announce(profileEvents["picture.dropped"], { key: before, rev: 1, payload: { fileId: before } })];
}
