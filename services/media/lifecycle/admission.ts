/**
 * Takes in files: reserves a row, then inspects the bytes and makes the row `ready`. If the process dies before `ready`, nothing can
 * refer to the file, and the sweeper removes row and bytes. If it dies later, the sweeper asks whether the file is in use. Each step can
 * be repeated: a repeat finds the first run's result, and two concurrent runs both return the result that was committed first.
 */
import type { MediaContext } from "../context.ts";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import { codeOf, DomainError, NotFound } from "../../../core/errors.ts";
import { faultPoint } from "../fault-points.ts";
import { newId } from "../../../core/ids.ts";
import { imageKey, rawKey, thumbKey, type AdmittedFile, type Purpose } from "../contract.ts";
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
import { removeBytes } from "./removal.ts";

const noSuchUpload = (): NotFound => new NotFound("There is no such upload");

/** Reserves a row for one file. It expires well before the sweeper checks it, so that nothing refers to a file being removed. */
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
 * Inspects the bytes that were written for a reserved file.
 * @throws NotFound  not the caller's, or abandoned; Invalid, DomainError UNSUPPORTED_TYPE  the bytes are not acceptable
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
    faultPoint("media.inspected");
    await changeFileState(context.db, row, "ready", properties);
    // Don't keep a photo's metadata longer than needed.
    if (properties.hasThumb) await bestEffort(context, "remove an original", context.blobs.remove([rawKey(fileId)]));
    return admittedFileOf({ ...row, ...properties });
  } catch (error) {
    // Another run was faster, or the file was dropped meanwhile and nothing would find what this run wrote since.
    const now = await context.db.get(files, fileId);
    if (isAdmitted(now)) return admittedFileOf(now);
    if (now === undefined || now.state === "dropped") await removeBytes(context.blobs, fileId);
    throw codeOf(error) === "CONFLICT" ? noSuchUpload() : error;
  }
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
