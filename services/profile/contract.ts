/** Declares profile's actions and events: what users say about themselves. */
import { contract, events, returns } from "../../core/contract/contract.ts";
import { id, visibleName } from "../../core/contract/rules.ts";
import { admittedFile, fileIdsParams, type FileUser } from "../media/contract.ts";
import type { Profile, ProfileSummary } from "./documents.ts";

export * from "./documents.ts";

const name = { ...visibleName, max: 60, optional: true } as const;

export type Source = "cache" | "database";

export const profile = contract("profile", {
  mine: {
    summary: "Your own profile; it exists from sign-up on",
    access: "user",
    params: {},
    result: returns<{ profile: Profile; source: Source }>(),
    policy: { retries: 2 },
  },
  byId: {
    summary: "A user's profile: the whole profile for contacts, a summary for other users",
    access: "user",
    errors: { NOT_FOUND: "The user does not exist." },
    params: { userId: id },
    result: returns<{ profile: Profile | ProfileSummary; source: Source }>(),
    policy: { retries: 2 },
  },
  patch: {
    summary: "Change fields of your own profile; null clears a field",
    access: "user",
    params: {
      firstName: { ...name, min: 2 },
      lastName: { ...name, min: 1 },
      about: { type: "string", max: 750, optional: true, nullable: true },
      gender: { type: "string", enum: ["male", "female", "other", "Male", "Female"], optional: true, nullable: true },
      age: { type: "number", integer: true, min: 0, max: 150, optional: true, nullable: true },
      picture: { ...admittedFile, optional: true, nullable: true },
      /** The URL of the current picture, which changes nothing. Any other URL is refused. */
      profilePic: { type: "string", max: 2000, optional: true },
    },
    result: returns<Profile>(),
  },
  summaries: {
    summary: "Profile summaries by user id; unknown ids are left out",
    access: "service",
    params: { userIds: { type: "array", items: id, max: 1000 } },
    result: returns<ProfileSummary[]>(),
    policy: { retries: 2 },
  },
  picturesInUse: {
    summary: "Those of the files that are a user's picture",
    access: "service",
    params: fileIdsParams,
    result: returns<string[]>(),
    policy: { retries: 2 },
  },
});

/** Durable events that profile publishes. */
export const profileEvents = events("profile", {
  /** This file is no user's picture any more. */
  "picture.dropped": returns<{ fileId: string }>(),
});
export const profileFiles = { inUse: profile.picturesInUse, released: profileEvents["picture.dropped"] } as const satisfies FileUser;
