/** Reads profile pictures for downloads. */
import { NotFound } from "../../core/errors.ts";
import type { MediaContext } from "./context.ts";
import type { StoredFile } from "./contract.ts";
import { files, isAdmitted } from "./files.repository.ts";

/** @throws NotFound  the file does not exist or is not a profile picture */
export async function profilePicture({ db }: MediaContext, fileId: string): Promise<StoredFile> {
  const row = await db.get(files, fileId);
  if (!isAdmitted(row) || row.purpose !== "profile") throw new NotFound("There is no such picture");
  const { name, mimeType, size, hasThumb } = row;
  return { fileId, name, mimeType, size, hasThumb };
}
