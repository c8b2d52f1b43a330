/** What profile offers: who a person says they are. */
import { contract, returns } from "../../core/contract.ts";
import { id, visibleName } from "../../core/rules.ts";

const name = { ...visibleName, max: 60, optional: true } as const;

/** What anyone signed in may see of a person. */
export interface ProfileSummary {
  readonly userId: string;
  readonly firstName: string;
  readonly lastName: string;
  /** URL, or null. */
  readonly profilePic: string | null;
}

/** A whole profile, for its owner and their contacts. Times are ISO-8601. */
export interface Profile extends ProfileSummary {
  readonly _id: string;
  readonly about: string | null;
  readonly gender: string | null;
  readonly age: number | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly __v: 0;
}

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
});
