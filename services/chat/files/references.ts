/** Maintains which chat refers to which file, for messages and for groups' pictures. */
import { Conflict, Invalid } from "../../../core/errors.ts";
import { insert, remove, type Complete, type Operation } from "../../../core/store/store.ts";
import { announce } from "../../../mixins/outbox.ts";
import type { AdmittedFile, Purpose } from "../../media/contract.ts";
import { files, type AttachedFile } from "../store/collections.ts";
import { chatEvents } from "../contract.ts";
import type { ChangeBatch } from "../timeline/batch.ts";

/** The fields of an accepted file that chat stores. */
export const attachedFile = ({ fileId, name, mimeType, size, width, height, hasThumb }: AdmittedFile): Complete<AttachedFile> => ({
  fileId,
  name,
  mimeType,
  size,
  width,
  height,
  hasThumb,
});

/** The operations of a commit that adds a reference to a file. @param messageId  null for a group's picture */
export const referenceFile = (chatId: string, messageId: string | null, file: AdmittedFile): Operation =>
  insert(files, { _id: file.fileId, chatId, messageId, ...attachedFile(file) });

/** The operations of a commit that removes the last reference to a file. media receives the event and removes the bytes. */
export const releaseFile = (fileId: string): Operation[] => [
  remove(files, { _id: fileId }),
  announce(chatEvents["file.dropped"], { key: fileId, rev: 1, payload: { fileId } }),
];

/**
 * Claims a file for this batch. A file can be claimed once, for the purpose of its upload, and before it expires.
 * @throws Invalid  uploaded for another purpose; Conflict  already in use, or expired
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
