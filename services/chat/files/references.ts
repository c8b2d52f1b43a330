/** Files that messages and groups' pictures refer to: which chat each is in, and who may see it. */
import { codeOf, Conflict, Forbidden, Invalid, NotFound } from "../../../core/errors.ts";
import { insert, remove, type Complete, type Operation } from "../../../core/store/store.ts";
import { announce } from "../../../mixins/outbox.ts";
import type { AdmittedFile, Purpose, StoredFile } from "../../media/contract.ts";
import { files, type AttachedFile } from "../store/collections.ts";
import { chatEvents } from "../contract.ts";
import type { ChangeBatch } from "../timeline/batch.ts";
import { authorizeManage, authorizePost, isActive, notAMember, isVisible } from "../policy.ts";
import { refreshDirectChatRelation } from "../membership/contact-relations.ts";
import type { CallContext } from "../context.ts";

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
  { snapshot, claimedFileIds }: ChangeBatch,
  { fileId, purpose, expiresAt }: AdmittedFile,
  expectedPurpose: Purpose,
  now: number,
): void {
  if (purpose !== expectedPurpose) throw new Invalid("The file was sent for something else");
  if (snapshot.files.has(fileId) || claimedFileIds.has(fileId)) throw new Conflict("The file is in use already");
  if (expiresAt < now) throw new Conflict("The file was kept too long, send it again");
  claimedFileIds.add(fileId);
}

/** @throws Forbidden, NotFound  the caller may not post in the chat, or manage it, now */
export async function authorizeAction(context: CallContext, chatId: string, action: "post" | "manage"): Promise<void> {
  const { repository, config, userId } = context;
  const check = async () => {
    const [chat, member] = await Promise.all([repository.chat(chatId), repository.member(chatId, userId)]);
    if (chat === undefined) throw new Forbidden(notAMember);
    if (action === "post") authorizePost(config.CONTACTS, chat, member);
    else authorizeManage(chat, member);
  };
  try {
    await check();
  } catch (error) {
    // Nobody is refused for want of a contact that chat has not heard of yet.
    if (action !== "post" || codeOf(error) !== "FORBIDDEN" || !(await refreshDirectChatRelation(context, chatId))) throw error;
    await check();
  }
}

/** @throws NotFound  no such file, or not one's to see: the two can't be told apart from outside */
export async function visibleFile({ repository, userId }: CallContext, fileId: string): Promise<StoredFile> {
  const file = await repository.file(fileId);
  if (file === undefined || !(await maySee(file))) throw new NotFound("There is no such file");
  const { name, mimeType, size, hasThumb } = file;
  return { fileId, name, mimeType, size, hasThumb };

  async function maySee({ chatId, messageId }: { readonly chatId: string; readonly messageId: string | null }): Promise<boolean> {
    const member = await repository.member(chatId, userId);
    if (!isActive(member)) return false;
    if (messageId === null) return true;
    const message = await repository.message(messageId);
    return message !== undefined && isVisible(member, message);
  }
}
