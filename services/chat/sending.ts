/** A send as a change of the chat's timeline. */
import { createHash } from "node:crypto";
import { codeOf, NotFound, type DomainError } from "../../core/errors.ts";
import type { Infer } from "../../core/contract/schema.ts";
import type { Complete } from "../../core/store/store.ts";
import { attached, claimFile, keepFile } from "./attachments.ts";
import type { Repository } from "./chat.repository.ts";
import type { MessageRow } from "./collections.ts";
import { chat, type Message, type Sent } from "./contract.ts";
import type { Draft } from "./draft.ts";
import { authorizePost, visible, type Contacts } from "./policy.ts";
import { presentMessage } from "./present.ts";
import { relearn } from "./relations.ts";
import { expiry, type Change } from "./timeline.ts";
import type { Work } from "./work.ts";

export type OutgoingMessage = Infer<typeof chat.send.params>["messages"][number];
export type OutgoingFile = Omit<Infer<typeof chat.sendFile.params>, "chatId">;

/** Of what was sent first: a repeat under the same clientId must have the same. */
const hashOf = (body: readonly (string | null)[]): string => createHash("sha256").update(JSON.stringify(body)).digest("base64url");

/** The fields of a send that the message's row takes over. */
const content = ({ text, clientId, replyTo }: OutgoingMessage): Complete<Pick<MessageRow, keyof OutgoingMessage>> => ({
  text,
  clientId,
  replyTo: replyTo ?? null,
});

/**
 * The change that stores one message.
 * @param repliedTo  the message `replyTo` names, where there is one
 */
export function sendChange(
  contacts: Contacts,
  senderId: string,
  message: OutgoingMessage,
  repliedTo: MessageRow | undefined,
): Change<{ message: Message; stored: boolean }> {
  const hash = hashOf([message.text, message.replyTo ?? null]);
  return {
    needs: { people: [senderId] },
    size: message.text.length + 500,
    once: {
      senderId,
      clientId: message.clientId,
      bodyHash: hash,
      found: (row, readers) => ({ message: presentMessage(row, readers), stored: false }),
    },
    apply(draft) {
      authorizeSend(contacts, draft, senderId, message.replyTo, repliedTo);
      return { message: draft.add({ ...content(message), kind: "text", senderId, bodyHash: hash }), stored: true };
    },
  };
}

/** The change that stores one message with a file. */
export function fileChange(
  contacts: Contacts,
  senderId: string,
  { file, sha256, ...sent }: OutgoingFile,
  repliedTo: MessageRow | undefined,
): Change<{ message: Message; stored: boolean }> {
  const { text = "", clientId, replyTo } = sent;
  const hash = hashOf([text, replyTo ?? null, sha256]);
  return {
    needs: { people: [senderId], files: [file.fileId] },
    size: text.length + 1000,
    once: { senderId, clientId, bodyHash: hash, found: (row, readers) => ({ message: presentMessage(row, readers), stored: false }) },
    apply(draft) {
      authorizeSend(contacts, draft, senderId, replyTo, repliedTo);
      claimFile(draft, file, "message", draft.now);
      const body = { ...sent, text, replyTo: replyTo ?? null, file: attached(file) };
      const message = draft.add({ ...body, kind: "file", senderId, bodyHash: hash });
      draft.also(keepFile(draft.chat._id, message._id, file));
      return { message, stored: true };
    },
  };
}

/** @throws Forbidden  the sender may not post; NotFound  a reply to nothing that they can see */
function authorizeSend(
  contacts: Contacts,
  draft: Draft,
  senderId: string,
  replyTo: string | undefined,
  repliedTo: MessageRow | undefined,
): void {
  const sender = draft.member(senderId);
  authorizePost(contacts, draft.chat, sender);
  if (replyTo !== undefined && (repliedTo?.chatId !== draft.chat._id || !visible(sender, repliedTo))) {
    throw new NotFound("The message replied to does not exist");
  }
}

/** What came of one message: its own refusal is an answer, anything else fails the call. */
async function outcomeOf(sending: Promise<{ message: Message; stored: boolean }>): Promise<Sent> {
  try {
    return { ok: true, ...(await sending) };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const { message, data } = error as DomainError;
    return { ok: false, error: { code, message, ...(data.retryAfterMs === undefined ? {} : { retryAfterMs: data.retryAfterMs }) } };
  }
}

/** The messages that these reply to, by id. */
export async function repliedTo(
  repository: Repository,
  outgoing: readonly { readonly replyTo?: string | undefined }[],
): Promise<ReadonlyMap<string, MessageRow>> {
  const ids = outgoing.flatMap(({ replyTo }) => (replyTo === undefined ? [] : [replyTo]));
  return new Map((ids.length === 0 ? [] : await repository.messages(ids)).map((row) => [row._id, row]));
}

/** Stores messages in the order given; each has its own outcome. */
export async function send(work: Work, chatId: string, outgoing: readonly OutgoingMessage[]): Promise<Sent[]> {
  const { config, timelines, clock, repository, userId } = work;
  const expiresAt = expiry(clock);
  const replies = await repliedTo(repository, outgoing);
  const store = () =>
    Promise.all(
      outgoing.map((message) => {
        const change = sendChange(config.CONTACTS, userId, message, replies.get(message.replyTo ?? ""));
        return outcomeOf(timelines.append(chatId, change, expiresAt));
      }),
    );
  const sent = await store();
  const isRefused = sent.some((one) => !one.ok && one.error.code === "FORBIDDEN");
  // Nobody is refused for want of a contact that chat has not heard of yet. Those stored are found again by their clientId.
  return isRefused && (await relearn(work, chatId)) ? store() : sent;
}
