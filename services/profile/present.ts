/** Makes documents from profile rows. */
import type { Profile, ProfileSummary } from "./contract.ts";
import type { ProfileRow } from "./profiles.repository.ts";

export const profile = (row: ProfileRow): Profile => ({
  ...summary(row),
  _id: row._id,
  about: row.about,
  gender: row.gender,
  age: row.age,
  createdAt: new Date(row.createdAt).toISOString(),
  updatedAt: new Date(row.updatedAt).toISOString(),
  __v: 0,
});

export const summary = ({
  _id,
  firstName,
  lastName,
  pictureId,
}: Pick<ProfileRow, "_id" | "firstName" | "lastName" | "pictureId">): ProfileSummary => ({
  userId: _id,
  firstName,
  lastName,
  profilePic: pictureId == null ? null : pictureUrl(pictureId),
});

export const pictureUrl = (fileId: string): string => `/profile/pictures/${fileId}`;

export const summaryOf = ({ userId, firstName, lastName, profilePic }: Profile): ProfileSummary => ({
  userId,
  firstName,
  lastName,
  profilePic,
});
