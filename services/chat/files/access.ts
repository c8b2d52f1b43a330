/** Finds files that the caller may see. */
import type { CallContext } from "../../../core/contract/call.ts";
import { NotFound } from "../../../core/errors.ts";
import type { StoredFile } from "../../media/contract.ts";
import type { ChatContext } from "../context.ts";
import { isActive, isVisible } from "../policy.ts";
import { fileById, memberOf, messageById } from "../store/repository.ts";

/** @throws NotFound  no such file, or the caller may not see it: callers can't tell the two apart */
export async function visibleFile({ db, userId }: CallContext<ChatContext>, fileId: string): Promise<StoredFile> {
  const file = await fileById(db, fileId);
  if (file === undefined || !(await maySee(file))) throw new NotFound("There is no such file");
  const { name, mimeType, size, hasThumb } = file;
  return { fileId, name, mimeType, size, hasThumb };

  async function maySee({ chatId, messageId }: { readonly chatId: string; readonly messageId: string | null }): Promise<boolean> {
    const member = await memberOf(db, chatId, userId);
    if (!isActive(member)) return false;
    if (messageId === null) return true;
    const message = await messageById(db, messageId);
    return message !== undefined && isVisible(member, message);
  }
}
