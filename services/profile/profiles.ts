/** Reads and changes profiles. Reads come from the cache, the store, or the account of a user without a profile row yet. */
import type { ProfileContext } from "./context.ts";
import { call, type Ctx } from "../../core/contract/call.ts";
import type { Cache } from "../../core/cache/cache.ts";
import { Conflict, Invalid, NotFound } from "../../core/errors.ts";
import type { Infer } from "../../core/contract/schema.ts";
import type { Database, Fields } from "../../core/store/store.ts";
import { auth } from "../auth/contract.ts";
import type { AdmittedFile } from "../media/contract.ts";
import type { Profile, profile, ProfileSummary, Source } from "./contract.ts";
import * as present from "./present.ts";
import { addProfile, changeProfile, initialProfile, profiles, type ProfileRow } from "./profiles.repository.ts";

/** A change of a profile: null clears a field, undefined keeps it. */
export type ProfilePatch = Infer<typeof profile.patch.params>;
/** The changed fields that the row has. A field that the row lacks does not compile. */
type FieldChanges = Pick<Fields<ProfileRow>, Exclude<keyof ProfilePatch, "picture" | "profilePic">>;

const cacheKey = (userId: string): string => `profile:${userId}`;
const noSuchPerson = (): NotFound => new NotFound("There is no such person");

/** @throws NotFound  no such user */
export async function readProfile(
  { db, cache }: ProfileContext,
  ctx: Ctx<unknown>,
  userId: string,
): Promise<{ profile: Profile; source: Source }> {
  const { value, source } = await cache.read(cacheKey(userId), async () => present.profile(await rowOf(db, ctx, userId)));
  return { profile: value, source };
}

/**
 * Changes the caller's profile.
 * @throws Invalid   nothing to change, a name removed, or the URL of another picture
 * @throws NotFound  the account is gone
 * @throws Conflict  the uploaded picture has expired
 */
export async function patchProfile(
  { db, cache, clock }: ProfileContext,
  ctx: Ctx<unknown>,
  userId: string,
  changes: ProfilePatch,
): Promise<Profile> {
  const { picture, profilePic, ...fields } = changes;
  const givenFields = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (givenFields.length === 0 && picture === undefined && profilePic === undefined) throw new Invalid("Name a field to change");
  refuseMissingNames(givenFields);
  if (picture != null) refuseUnusablePicture(picture, clock.now());
  const row = await rowOf(db, ctx, userId);
  if (profilePic !== undefined && profilePic !== present.profile(row).profilePic) {
    const message = "must be a picture, or the URL of the current one";
    throw new Invalid(`profilePic ${message}`, [{ field: "profilePic", message }]);
  }
  const set: FieldChanges = Object.fromEntries(givenFields);
  const pictureId = picture === undefined ? {} : { pictureId: picture?.fileId ?? null };
  if (!(await changeProfile(db, userId, { ...set, ...pictureId }))) throw noSuchPerson();
  await forgetProfile(cache, userId);
  return present.profile(await rowOf(db, ctx, userId));
}

function refuseMissingNames(givenFields: readonly [string, unknown][]): void {
  const taken = givenFields.filter(([field, value]) => value === null && (field === "firstName" || field === "lastName"));
  if (taken.length === 0) return;
  throw new Invalid(
    "A name cannot be removed",
    taken.map(([field]) => ({ field, message: "must not be null" })),
  );
}

function refuseUnusablePicture({ purpose, expiresAt }: AdmittedFile, now: number): void {
  if (purpose !== "profile") throw new Invalid("The file was sent for something else");
  if (expiresAt < now) throw new Conflict("The picture was kept too long, send it again");
}

/** Call it after every change and before its answer. */
export const forgetProfile = (cache: Cache, userId: string): Promise<void> => cache.invalidate([cacheKey(userId)]);

/** Answers for users without a row from auth, without storing them: their sign-up events are on the way, possibly thousands. */
export async function readSummaries({ db }: ProfileContext, ctx: Ctx<unknown>, userIds: readonly string[]): Promise<ProfileSummary[]> {
  const rows = await db.getMany(profiles, userIds);
  const known = new Set(rows.map(({ _id }) => _id));
  const unknown = userIds.filter((userId) => !known.has(userId));
  const accounts = unknown.length === 0 ? [] : await call(ctx, auth.accounts, { userIds: unknown });
  const alive = rows.filter(({ deletedAt }) => deletedAt === null);
  return [...alive, ...accounts.map(initialProfile)].map(present.summary);
}

async function rowOf(db: Database, ctx: Ctx<unknown>, userId: string): Promise<ProfileRow> {
  const row = (await db.get(profiles, userId)) ?? (await addFromAccount(db, ctx, userId));
  if (row?.deletedAt !== null) throw noSuchPerson();
  return row;
}

async function addFromAccount(db: Database, ctx: Ctx<unknown>, userId: string): Promise<ProfileRow | undefined> {
  const [account] = await call(ctx, auth.accounts, { userIds: [userId] });
  if (account === undefined) return undefined;
  await addProfile(db, initialProfile(account));
  // Read again: the event may have created the row first, and a change or deletion may have followed.
  return db.get(profiles, userId);
}
