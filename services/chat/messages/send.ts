/** Sends messages: makes changes of them, which the chat's timeline stores. */
import type { CallContext } from "../../../core/contract/call.ts";
import { createHash } from "node:crypto";
import { codeOf, NotFound, type DomainError } from "../../../core/errors.ts";
import type { Infer } from "../../../core/contract/schema.ts";
import type { Complete, Database } from "../../../core/store/store.ts";
import { attachedFile, claimFile, referenceFile } from "../files/references.ts";
import { messagesById } from "../store/repository.ts";
import type { MessageRow } from "../store/collections.ts";
import { chat, type Message, type SendResult } from "../contract.ts";
import type { ChangeBatch } from "../timeline/batch.ts";
import { authorizePost, isVisible, type ContactPolicy } from "../policy.ts";
import { presentMessage } from "../present.ts";
import { refreshDirectChatRelation, withCurrentRelation } from "../membership/contact-relations.ts";
import { expiry, type Change } from "../timeline/change.ts";
import type { ChatContext } from "../context.ts";

export type OutgoingMessage = Infer<typeof chat.send.params>["messages"][number];
type OutgoingFile = Omit<Infer<typeof chat.sendFile.params>, "chatId">;
interface StoredMessage {
  readonly message: Message;
  /** False if the message was already stored. */
  readonly stored: boolean;
}

/** Hash of the content. A repeat with the same clientId must have the same. */
const bodyHashOf = (body: readonly (string | null)[]): string => createHash("sha256").update(JSON.stringify(body)).digest("base64url");

/** The fields of a send that the message's row stores. */
const contentFields = ({ text, clientId, replyTo }: OutgoingMessage): Complete<Pick<MessageRow, keyof OutgoingMessage>> => ({
  text,
  clientId,
  replyTo: replyTo ?? null,
});

/**
 * Makes the change that stores one message.
 * @param repliedTo  the message with the id `replyTo`, if any
 */
export function sendChange(
  contacts: ContactPolicy,
  senderId: string,
  message: OutgoingMessage,
  repliedTo: MessageRow | undefined,
): Change<StoredMessage> {
  const hash = bodyHashOf([message.text, message.replyTo ?? null]);
  return {
    reads: { people: [senderId] },
    estimatedBytes: message.text.length + 500,
    idempotencyKey: {
      senderId,
      clientId: message.clientId,
      bodyHash: hash,
      repeatResult: (row, readers) => ({ message: presentMessage(row, readers), stored: false }),
    },
    apply(batch) {
      authorizeSend(contacts, batch, senderId, message.replyTo, repliedTo);
      return { message: batch.addMessage({ ...contentFields(message), kind: "text", senderId, bodyHash: hash }), stored: true };
    },
  };
}

/** Makes the change that stores one message with a file. */
function fileChange(
  contacts: ContactPolicy,
  senderId: string,
  { file, sha256, ...sent }: OutgoingFile,
  repliedTo: MessageRow | undefined,
): Change<StoredMessage> {
  const { text = "", clientId, replyTo } = sent;
  const hash = bodyHashOf([text, replyTo ?? null, sha256]);
  return {
    reads: { people: [senderId], files: [file.fileId] },
    estimatedBytes: text.length + 1000,
    idempotencyKey: {
      senderId,
      clientId,
      bodyHash: hash,
      repeatResult: (row, readers) => ({ message: presentMessage(row, readers), stored: false }),
    },
    apply(batch) {
      authorizeSend(contacts, batch, senderId, replyTo, repliedTo);
      claimFile(batch, file, "message");
      const body = { ...sent, text, replyTo: replyTo ?? null, file: attachedFile(file) };
      const message = batch.addMessage({ ...body, kind: "file", senderId, bodyHash: hash });
      batch.addWrites(referenceFile(batch.chat._id, message._id, file));
      return { message, stored: true };
    },
  };
}

/** @throws Forbidden  the sender may not post; NotFound  the message to reply to does not exist for them */
function authorizeSend(
  contacts: ContactPolicy,
  batch: ChangeBatch,
  senderId: string,
  replyTo: string | undefined,
  repliedTo: MessageRow | undefined,
): void {
  const sender = batch.member(senderId);
  authorizePost(contacts, batch.chat, sender);
  if (replyTo !== undefined && (repliedTo?.chatId !== batch.chat._id || !isVisible(sender, repliedTo))) {
    throw new NotFound("The message replied to does not exist");
  }
}

/** The result for one message. Its own refusal is a result; any other error fails the call. */
async function sendResultOf(stored: Promise<StoredMessage>): Promise<SendResult> {
  try {
    return { ok: true, ...(await stored) };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const { message, data } = error as DomainError;
    return { ok: false, error: { code, message, ...(data.retryAfterMs === undefined ? {} : { retryAfterMs: data.retryAfterMs }) } };
  }
}

/** Reads the messages that these reply to, by id. */
async function messagesRepliedTo(
  db: Database,
  outgoing: readonly { readonly replyTo?: string | undefined }[],
): Promise<ReadonlyMap<string, MessageRow>> {
  const ids = outgoing.flatMap(({ replyTo }) => (replyTo === undefined ? [] : [replyTo]));
  return new Map((ids.length === 0 ? [] : await messagesById(db, ids)).map((row) => [row._id, row]));
}

/** Stores messages in the given order. Each has its own result. */
export async function send(context: CallContext<ChatContext>, chatId: string, outgoing: readonly OutgoingMessage[]): Promise<SendResult[]> {
  const { config, timelines, clock, db, userId } = context;
  const expiresAt = expiry(clock);
  const replies = await messagesRepliedTo(db, outgoing);
  const storeAll = () =>
    Promise.all(
      outgoing.map((message) => {
        const change = sendChange(config.CONTACTS, userId, message, replies.get(message.replyTo ?? ""));
        return sendResultOf(timelines.append(chatId, change, expiresAt));
      }),
    );
  const results = await storeAll();
  const isRefused = results.some((result) => !result.ok && result.error.code === "FORBIDDEN");
  // The stored relation may be old: refresh it and send again. Messages that are already stored are found by their clientId.
  return isRefused && (await refreshDirectChatRelation(context, chatId)) ? storeAll() : results;
}

/** Stores a message with a file. */
export async function sendFile(
  context: CallContext<ChatContext>,
  { chatId, ...outgoing }: Infer<typeof chat.sendFile.params>,
): Promise<StoredMessage> {
  const { config, timelines, db, userId } = context;
  const replies = await messagesRepliedTo(db, [outgoing]);
  const change = fileChange(config.CONTACTS, userId, outgoing, replies.get(outgoing.replyTo ?? ""));
  return withCurrentRelation(context, chatId, (expiresAt) => timelines.append(chatId, change, expiresAt));
}
