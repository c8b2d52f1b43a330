/**
 * Taking files in and letting them go. Where a process dies in between: before the row says `ready` nobody can refer to the file,
 * and the sweeper removes row and bytes; after it, the sweeper asks whether anyone does. A repeat of any step finds what the first
 * run did, and of two at once the one whose commit came first is what both answer.
 */
import type { MediaContext } from "../context.ts";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import { codeOf, DomainError, NotFound } from "../../../core/errors.ts";
import { faultPoint } from "../fault-points.ts";
import { newId } from "../../../core/ids.ts";
import { imageKey, rawKey, thumbKey, type AdmittedFile, type Purpose, type StoredFile } from "../contract.ts";
import {
  insertFile,
  files,
  isAdmitted,
  changeFileState,
  type MediaFileRow,
  type FileProperties,
  type AdmittedFileRow,
} from "../files.repository.ts";
import type { RenderedImage } from "../images/render.ts";
import { withExtension, safeName } from "./file-names.ts";
import { headBytes, isImage, isPicture, detectType, textOrBinaryType } from "../file-types.ts";

/** What files are kept with. */
const noSuchUpload = (): NotFound => new NotFound("There is no such upload");

/** A place for one file. It expires well before the sweeper looks at it, so that nothing refers to what is being removed. */
export async function reserve(
  { db, clock, graceMs }: MediaContext,
  ownerId: string,
  purpose: Purpose,
): Promise<Pick<MediaFileRow, "expiresAt"> & { fileId: string }> {
  const fileId = newId();
  const expiresAt = clock.now() + graceMs / 2;
  await insertFile(db, { _id: fileId, ownerId, purpose, expiresAt });
  return { fileId, expiresAt };
}

/**
 * Judges the bytes that were written to a reserved place.
 * @throws NotFound  not one's own, or given up; Invalid, DomainError UNSUPPORTED_TYPE  the bytes won't do
 */
export async function admit(
  context: MediaContext,
  ownerId: string,
  fileId: string,
  sent: { name: string; size: number },
): Promise<AdmittedFile> {
  const row = await ownFile(context, ownerId, fileId);
  if (isAdmitted(row)) return admittedFileOf(row);
  try {
    const properties = await inspect(context, row, sent);
    faultPoint("media.judged");
    await changeFileState(context.db, row, "ready", properties);
    // A photo's metadata is not kept longer than needed.
    if (properties.hasThumb) await bestEffort(context, "remove an original", context.blobs.remove([rawKey(fileId)]));
    return admittedFileOf({ ...row, ...properties });
  } catch (error) {
    // Another run of this was faster; or the file was dropped meanwhile, and nobody looks for what this run wrote since.
    const now = await context.db.get(files, fileId);
    if (isAdmitted(now)) return admittedFileOf(now);
    if (now === undefined || now.state === "dropped") await removeBytes(context.blobs, fileId);
    throw codeOf(error) === "CONFLICT" ? noSuchUpload() : error;
  }
}

/** Removes a file that the owner knows nothing refers to. One that is in use all the same stays, and an unknown one is fine. */
export async function giveUp(context: MediaContext, ownerId: string, fileId: string): Promise<void> {
  const row = await context.db.get(files, fileId);
  // Forgotten: a writer that slept for so long may have written since.
  if (row === undefined) await removeBytes(context.blobs, fileId);
  if (row?.ownerId !== ownerId || (row.state !== "reserved" && row.state !== "ready")) return;
  const used = await context.filesInUse(row.purpose, [fileId]);
  if (used.length === 0) await dropFile(context, row);
}

/**
 * Lets a file go for good. A repeat removes its bytes once more. Throws `Conflict` when the row changed since it was read. While a
 * backup runs the bytes are left to the sweeper.
 */
export async function dropFile({ db, blobs, areBlobsHeld }: MediaContext, row: MediaFileRow): Promise<void> {
  if (row.state !== "dropped") await changeFileState(db, row, "dropped");
  faultPoint("media.dropped");
  // Asked after the row is dropped: a backup that began before that holds them, and for one that begins after it the file is gone.
  if (!(await areBlobsHeld())) await removeBytes(blobs, row._id);
}

/** Lets a file go that its last user dropped. Throws `Conflict` when the row changed meanwhile; then it can be tried again. */
export async function dropReleasedFile(context: MediaContext, fileId: string): Promise<void> {
  const row = await context.db.get(files, fileId);
  if (row === undefined) await removeBytes(context.blobs, fileId);
  else await dropFile(context, row);
}

export const removeBytes = (blobs: Blobs, fileId: string): Promise<void> =>
  blobs.remove([rawKey(fileId), imageKey(fileId), thumbKey(fileId)]);

/** @throws NotFound  no such picture, or not of a person */
export async function profilePicture({ db }: MediaContext, fileId: string): Promise<StoredFile> {
  const row = await db.get(files, fileId);
  if (!isAdmitted(row) || row.purpose !== "profile") throw new NotFound("There is no such picture");
  const { name, mimeType, size, hasThumb } = row;
  return { fileId, name, mimeType, size, hasThumb };
}

async function ownFile({ db }: MediaContext, ownerId: string, fileId: string): Promise<MediaFileRow> {
  const row = await db.get(files, fileId);
  if (row?.ownerId !== ownerId || row.state === "dropped") throw noSuchUpload();
  return row;
}

function admittedFileOf({ _id, purpose, name, mimeType, size, width, height, hasThumb, expiresAt }: AdmittedFileRow): AdmittedFile {
  const pixels = width === null || height === null ? {} : { width, height };
  return { fileId: _id, purpose, name, mimeType, size, ...pixels, hasThumb, expiresAt };
}

async function inspect(
  { blobs, imageWorkers }: MediaContext,
  { _id, ownerId, purpose }: MediaFileRow,
  sent: { name: string; size: number },
): Promise<FileProperties> {
  const name = safeName(sent.name);
  const known = await detectType(await buffer(await readBytes(blobs, _id, { start: 0, end: headBytes - 1 })));
  if (purpose !== "message" && !isPicture(known)) {
    throw new DomainError("UNSUPPORTED_TYPE", "A picture must be a JPEG, PNG, GIF or WebP image");
  }
  if (!isImage(known)) {
    const mimeType = known ?? (await textOrBinaryType(await readBytes(blobs, _id)));
    return { name, mimeType, size: sent.size, width: null, height: null, hasThumb: false };
  }
  const kind = purpose === "message" ? "attached" : "square";
  const image = await imageWorkers.renderImage(ownerId, kind, known, async () => buffer(await readBytes(blobs, _id)));
  await storeImage(blobs, _id, image);
  const { content, mimeType, width, height } = image;
  const isConverted = mimeType !== known && mimeType === "image/webp";
  return { name: isConverted ? withExtension(name, "webp") : name, mimeType, size: content.length, width, height, hasThumb: true };
}

async function readBytes(blobs: Blobs, fileId: string, range?: { start: number; end: number }): Promise<Readable> {
  const bytes = await blobs.read(rawKey(fileId), range);
  if (bytes === undefined) throw noSuchUpload();
  return bytes;
}

async function storeImage(blobs: Blobs, fileId: string, { content, thumb }: RenderedImage): Promise<void> {
  await blobs.write(imageKey(fileId), Readable.from([content]), content.length);
  await blobs.write(thumbKey(fileId), Readable.from([thumb]), thumb.length);
}

async function bestEffort({ log }: MediaContext, what: string, task: Promise<void>): Promise<void> {
  await task.catch((error: unknown) => log.warn(`can't ${what} now: ${(error as Error).message}`));
}
