/** Defines the routes of profiles. */
import { maxFileBytes } from "../../../media/contract.ts";
import { profile } from "../../../profile/contract.ts";
import type { Upload } from "../request/upload.ts";
import { row } from "../table.ts";
import { dataUriJsonBytes, pictureRule } from "./pictures.ts";

const upload: Upload = { purpose: "profile", fields: ["profilePic", "file"], maxBytes: maxFileBytes, dataUri: "profilePic" };

export const profileRows = [
  row({
    method: "GET",
    path: "/profile/getProfile",
    action: profile.mine,
    present: ({ profile, source }) => ({ data: profile, source }),
  }),
  row({
    method: "GET",
    path: "/profile/profile/:userId",
    action: profile.byId,
    present: ({ profile, source }) => ({ data: profile, source }),
  }),
  row({
    method: "PUT",
    path: "/profile/patchProfile",
    action: profile.patch,
    params: { profilePic: pictureRule },
    sets: {
      picture: ({ profilePic }, admitted) => admitted?.file ?? (profilePic === null ? null : undefined),
      profilePic: ({ profilePic }) => profilePic ?? undefined,
    },
    maxBytes: dataUriJsonBytes,
    upload,
    present: (profile) => ({ message: "Profile saved", data: profile }),
  }),
];
