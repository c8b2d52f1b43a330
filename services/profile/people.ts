/** Profiles for those who ask: from the cache, the store, or the account of someone whom profile has not heard of yet. */
import { call, type Ctx } from "../../core/call.ts";
import type { Cache } from "../../core/cache/cache.ts";
import { Invalid, NotFound, codeOf } from "../../core/errors.ts";
import type { Database } from "../../core/store/store.ts";
import { auth } from "../auth/contract.ts";
import type { Profile, ProfileSummary, Source } from "./contract.ts";
import * as present from "./present.ts";
import { addProfile, changeProfile, firstProfile, profiles, type ProfileRow } from "./profiles.repository.ts";

/** What profiles are read with. */
export interface Reading {
  readonly db: Database;
  readonly cache: Cache;
}

/** The fields a person may change; null clears one, undefined leaves it. */
type Changeable = Pick<ProfileRow, "firstName" | "lastName" | "about" | "gender" | "age">;
export type Changes = { readonly [K in keyof Changeable]?: Changeable[K] | null | undefined };

const cacheKey = (userId: string): string => `profile:${userId}`;
const nobody = (): NotFound => new NotFound("There is no such person");

/** @throws NotFound  no such person */
export async function profileOf({ db, cache }: Reading, ctx: Ctx<unknown>, userId: string): Promise<{ profile: Profile; source: Source }> {
  const { value, source } = await cache.read(cacheKey(userId), async () => present.profile(await rowOf(db, ctx, userId)));
  return { profile: value, source };
}

/**
 * Changes one's own profile.
 * @throws Invalid   nothing to change, or a name taken away
 * @throws NotFound  the account is gone
 */
export async function patchProfile({ db, cache }: Reading, ctx: Ctx<unknown>, userId: string, changes: Changes): Promise<Profile> {
  const named = Object.entries(changes).filter(([, value]) => value !== undefined);
  if (named.length === 0) throw new Invalid("Name a field to change");
  const taken = named.filter(([field, value]) => value === null && (field === "firstName" || field === "lastName"));
  if (taken.length > 0) {
    throw new Invalid(
      "A name can't be taken away",
      taken.map(([field]) => ({ field, message: "must not be null" })),
    );
  }
  await rowOf(db, ctx, userId);
  try {
    await changeProfile(db, userId, Object.fromEntries(named));
  } catch (error) {
    throw codeOf(error) === "CONFLICT" ? nobody() : error;
  }
  await forgetProfile(cache, userId);
  return present.profile(await rowOf(db, ctx, userId));
}

/** Call it after every change and before its answer. */
export const forgetProfile = (cache: Cache, userId: string): Promise<void> => cache.forget([cacheKey(userId)]);

/** Whom profile has not heard of yet is answered from auth and not stored: their events are on the way, perhaps by thousands. */
export async function summariesOf({ db }: Reading, ctx: Ctx<unknown>, userIds: readonly string[]): Promise<ProfileSummary[]> {
  const rows = await db.getMany(profiles, userIds);
  const known = new Set(rows.map(({ _id }) => _id));
  const unknown = userIds.filter((userId) => !known.has(userId));
  const accounts = unknown.length === 0 ? [] : await call(ctx, auth.accounts, { userIds: unknown });
  const alive = rows.filter(({ deletedAt }) => deletedAt === null);
  return [...alive, ...accounts.map(firstProfile)].map(present.summary);
}

async function rowOf(db: Database, ctx: Ctx<unknown>, userId: string): Promise<ProfileRow> {
  const row = (await db.get(profiles, userId)) ?? (await addFromAccount(db, ctx, userId));
  if (row?.deletedAt !== null) throw nobody();
  return row;
}

async function addFromAccount(db: Database, ctx: Ctx<unknown>, userId: string): Promise<ProfileRow | undefined> {
  const [account] = await call(ctx, auth.accounts, { userIds: [userId] });
  if (account === undefined) return undefined;
  await addProfile(db, firstProfile(account));
  // Not the row just made: the event may have been first, and a change or a deletion after it.
  return db.get(profiles, userId);
}
