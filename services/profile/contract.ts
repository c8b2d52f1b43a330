/** What profile offers: who a person says they are. */
import { contract, events, returns } from "../../core/contract/contract.ts";
import { id, visibleName } from "../../core/contract/rules.ts";
import { admittedFile, fileIdsParams, type FileUser } from "../media/contract.ts";
import type { Profile, ProfileSummary } from "./documents.ts";

export * from "./documents.ts";

const name = { ...visibleName, max: 60, optional: true } as const;

export type Source = "cache" | "database";

export const profile = contract("profile", {
  mine: {
    summary: "One's own profile; it exists from sign-up on",
    access: "user",
    params: {},
    result: returns<{ profile: Profile; source: Source }>(),
    policy: { retries: 2 },
  },
  byId: {
    summary: "Someone's profile: whole for contacts, a summary for strangers",
    access: "user",
    errors: { NOT_FOUND: "There is no such person." },
    params: { userId: id },
    result: returns<{ profile: Profile | ProfileSummary; source: Source }>(),
    policy: { retries: 2 },
  },
  patch: {
    summary: "Change any of one's own profile's fields; null clears one",
    access: "user",
    params: {
      firstName: { ...name, min: 2 },
      lastName: { ...name, min: 1 },
      about: { type: "string", max: 750, optional: true, nullable: true },
      gender: { type: "string", enum: ["male", "female", "other", "Male", "Female"], optional: true, nullable: true },
      age: { type: "number", integer: true, min: 0, max: 150, optional: true, nullable: true },
      picture: { ...admittedFile, optional: true, nullable: true },
      /** The present picture's URL, which changes nothing; any other is refused. */
      profilePic: { type: "string", max: 2000, optional: true },
    },
    result: returns<Profile>(),
  },
  summaries: {
    summary: "Summaries by user id; unknown ids are left out",
    access: "service",
    params: { userIds: { type: "array", items: id, max: 1000 } },
    result: returns<ProfileSummary[]>(),
    policy: { retries: 2 },
  },
  picturesInUse: {
    summary: "Which of these files are someone's picture",
    access: "service",
    params: fileIdsParams,
    result: returns<string[]>(),
    policy: { retries: 2 },
  },
});

/** What profile announces. */
export const profileEvents = events("profile", {
  /** A file that is nobody's picture any more. */
  "picture.dropped": returns<{ fileId: string }>(),
});
export const profileFiles = { inUse: profile.picturesInUse, released: profileEvents["picture.dropped"] } as const satisfies FileUser;
