/** Removes files: first the row is marked `dropped`, then the bytes go. */
import type { Blobs } from "../../../core/blobs/blobs.ts";
import type { MediaContext } from "../context.ts";
import { imageKey, rawKey, thumbKey } from "../contract.ts";
import { faultPoint } from "../fault-points.ts";
import { changeFileState, files, type MediaFileRow } from "../files.repository.ts";

/** Removes a file that its owner no longer needs. A file in use stays. An unknown id is no error. */
export async function giveUp(context: MediaContext, ownerId: string, fileId: string): Promise<void> {
  const row = await context.db.get(files, fileId);
  // The row is gone already, but a writer that was paused for that long may have written since.
  if (row === undefined) await removeBytes(context.blobs, fileId);
  if (row?.ownerId !== ownerId || (row.state !== "reserved" && row.state !== "ready")) return;
  const used = await context.filesInUse(row.purpose, [fileId]);
  if (used.length === 0) await dropFile(context, row);
}

/**
 * Removes a file for good; a repeat removes its bytes again. While a backup runs, the bytes stay until the sweeper removes them.
 * @throws Conflict  the row changed since it was read
 */
export async function dropFile({ db, blobs, areBlobsHeld }: MediaContext, row: MediaFileRow): Promise<void> {
  if (row.state !== "dropped") await changeFileState(db, row, "dropped");
  faultPoint("media.dropped");
  // Check after dropping the row: a backup that began earlier holds the bytes, and one that begins later does not contain the file.
  if (!(await areBlobsHeld())) await removeBytes(blobs, row._id);
}

/**
 * Removes a file that its last user released.
 * @throws Conflict  the row changed meanwhile; it can be tried again
 */
export async function dropReleasedFile(context: MediaContext, fileId: string): Promise<void> {
  const row = await context.db.get(files, fileId);
  if (row === undefined) await removeBytes(context.blobs, fileId);
  else await dropFile(context, row);
}

export const removeBytes = (blobs: Blobs, fileId: string): Promise<void> =>
  blobs.remove([rawKey(fileId), imageKey(fileId), thumbKey(fileId)]);
