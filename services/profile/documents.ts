/** Defines profile's documents as they leave the server. */

/** What anyone signed in may see of a person. */
export interface ProfileSummary {
  readonly userId: string;
  readonly firstName: string;
  readonly lastName: string;
  /** URL of a picture 512 pixels square, with `?thumb=1` 96; or null. */
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
