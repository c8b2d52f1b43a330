/** Edits and deletes messages. A deleted message keeps its position. */
import { Conflict } from "../../../core/errors.ts";
import { remove } from "../../../core/store/store.ts";
import { releaseFile } from "../files/references.ts";
import { erased, reactions } from "../store/collections.ts";
import type { Message } from "../contract.ts";
import { authorizeDelete, authorizeEdit, authorizePost, type ContactPolicy } from "../policy.ts";
import { presentMessage } from "../present.ts";
import type { Change } from "../timeline/change.ts";
import { visibleMessage } from "./visible-message.ts";

/** The same text again changes nothing. */
export const editChange = (contacts: ContactPolicy, userId: string, messageId: string, text: string): Change<Message> => ({
  reads: { people: [userId], messages: [messageId] },
  estimatedBytes: text.length + 500,
  apply(batch) {
    const { member, message } = visibleMessage(batch, userId, messageId);
    authorizeEdit(userId, message);
    authorizePost(contacts, batch.chat, member);
    if (message.deletedAt !== null) throw new Conflict("The message was deleted");
    if (message.text === text) return presentMessage(message, batch.snapshot.readers);
    return batch.changeMessage(message, { text, editedAt: batch.now });
  },
});

/** Deleting again changes nothing. */
export const deleteChange = (userId: string, messageId: string): Change<Message> => ({
  reads: { people: [userId], messages: [messageId] },
  estimatedBytes: 500,
  apply(batch) {
    const { member, message } = visibleMessage(batch, userId, messageId);
    authorizeDelete(batch.chat, member, message);
    if (message.deletedAt !== null) return presentMessage(message, batch.snapshot.readers);
    if (Object.keys(message.reactions ?? {}).length > 0) batch.addWrites(remove(reactions, { messageId }));
    if (message.file != null) batch.addWrites(...releaseFile(message.file.fileId));
    return batch.changeMessage(message, { ...erased, deletedAt: batch.now });
  },
});
