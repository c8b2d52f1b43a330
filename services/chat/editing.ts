/** Changes of a message after it was sent: another text, or nothing but its place. */
import { Conflict, NotFound } from "../../core/errors.ts";
import { remove } from "../../core/store/store.ts";
import { dropFile } from "./attachments.ts";
import { reactions, type MemberRow, type MessageRow } from "./collections.ts";
import type { Message } from "./contract.ts";
import type { Draft } from "./draft.ts";
import { authorizeDelete, authorizeEdit, authorizePost, isActive, visible, type Contacts } from "./policy.ts";
import { presentMessage } from "./present.ts";
import type { Change } from "./timeline.ts";

/** @throws NotFound  no such message, or not one's to see: the two can't be told apart from outside */
export function seen(draft: Draft, userId: string, messageId: string): { member: MemberRow; message: MessageRow } {
  const member = draft.member(userId);
  const message = draft.message(messageId);
  if (message === undefined || !isActive(member) || !visible(member, message)) throw noSuchMessage();
  return { member, message };
}
export const noSuchMessage = (): NotFound => new NotFound("There is no such message");

/** The same text again changes nothing. */
export const editChange = (contacts: Contacts, userId: string, messageId: string, text: string): Change<Message> => ({
  needs: { people: [userId], messages: [messageId] },
  size: text.length + 500,
  apply(draft) {
    const { member, message } = seen(draft, userId, messageId);
    authorizeEdit(userId, message);
    authorizePost(contacts, draft.chat, member);
    if (message.deletedAt !== null) throw new Conflict("The message was deleted");
    if (message.text === text) return presentMessage(message, draft.scene.readers);
    return draft.change(message, { text, editedAt: draft.now });
  },
});

/** Deleting again changes nothing. */
export const deleteChange = (userId: string, messageId: string): Change<Message> => ({
  needs: { people: [userId], messages: [messageId] },
  size: 500,
  apply(draft) {
    const { member, message } = seen(draft, userId, messageId);
    authorizeDelete(draft.chat, member, message);
    if (message.deletedAt !== null) return presentMessage(message, draft.scene.readers);
    if (Object.keys(message.reactions ?? {}).length > 0) draft.also(remove(reactions, { messageId }));
    if (message.file != null) draft.also(...dropFile(message.file.fileId));
    return draft.change(message, { text: "", file: null, reactions: {}, deletedAt: draft.now });
  },
});
