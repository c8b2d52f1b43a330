/** Types of the documents that profile returns. Clients see them, so they import nothing of the server. */

/** The part of a profile that every signed-in user may see. */
export interface ProfileSummary {
  readonly userId: string;
  readonly firstName: string;
  readonly lastName: string;
  /** URL of a picture of 512 × 512 pixels, or 96 × 96 with `?thumb=1`; null when there is no picture. */
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
