/** Files that messages and groups' pictures refer to: which chat each is in, and who may see it. */
import { Conflict, Invalid } from "../../../core/errors.ts";
import { insert, remove, type Complete, type Operation } from "../../../core/store/store.ts";
import { announce } from "../../../mixins/outbox.ts";
import type { AdmittedFile, Purpose } from "../../media/contract.ts";
import { files, type AttachedFile } from "../store/collections.ts";
import { chatEvents } from "../contract.ts";
import type { ChangeBatch } from "../timeline/batch.ts";

/** What is kept of an admitted file. */
export const attachedFile = ({ fileId, name, mimeType, size, width, height, hasThumb }: AdmittedFile): Complete<AttachedFile> => ({
  fileId,
  name,
  mimeType,
  size,
  width,
  height,
  hasThumb,
});

/** Part of the commit that refers to a file. @param messageId  null of a group's picture */
export const referenceFile = (chatId: string, messageId: string | null, file: AdmittedFile): Operation =>
  insert(files, { _id: file.fileId, chatId, messageId, ...attachedFile(file) });

/** Part of the commit after which nothing refers to the file; media hears of it and removes the bytes. */
export const releaseFile = (fileId: string): Operation[] => [
  remove(files, { _id: fileId }),
  announce(chatEvents["file.dropped"], { key: fileId, rev: 1, payload: { fileId } }),
];

/**
 * Takes a file for this batch: it is referred to once, for what it was taken in for, and while media still keeps it for that.
 * @throws Invalid  taken in for something else; Conflict  in use already, or too old
 */
export function claimFile(
  { snapshot, claimedFileIds, now }: ChangeBatch,
  { fileId, purpose, expiresAt }: AdmittedFile,
  expectedPurpose: Purpose,
): void {
  if (purpose !== expectedPurpose) throw new Invalid("The file was sent for something else");
  if (snapshot.files.has(fileId) || claimedFileIds.has(fileId)) throw new Conflict("The file is in use already");
  if (expiresAt < now) throw new Conflict("The file was kept too long, send it again");
  claimedFileIds.add(fileId);
}
