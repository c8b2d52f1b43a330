/** A send as a change of the chat's timeline. */
import { createHash } from "node:crypto";
import { codeOf, NotFound, type DomainError } from "../../core/errors.ts";
import type { MessageRow } from "./collections.ts";
import type { Message, Sent } from "./contract.ts";
import { authorizePost, visible, type Contacts } from "./policy.ts";
import { presentMessage } from "./present.ts";
import type { Change } from "./timeline.ts";

export interface OutgoingMessage {
  readonly text: string;
  readonly clientId: string;
  readonly replyTo?: string | undefined;
}

/** Of what was sent first: a repeat under the same clientId must have the same. */
const bodyHash = ({ text, replyTo }: OutgoingMessage): string =>
  createHash("sha256")
    .update(JSON.stringify([text, replyTo ?? null]))
    .digest("base64url");

/**
 * The change that stores one message.
 * @param repliedTo  the message `replyTo` names, where there is one
 */
export function sendChange(
  contacts: Contacts,
  senderId: string,
  chatId: string,
  message: OutgoingMessage,
  repliedTo: MessageRow | undefined,
): Change<{ message: Message; stored: boolean }> {
  const hash = bodyHash(message);
  return {
    people: [senderId],
    size: message.text.length + 500,
    once: { senderId, clientId: message.clientId, bodyHash: hash, found: (row) => ({ message: presentMessage(row), stored: false }) },
    apply(draft, member) {
      const sender = member(senderId);
      authorizePost(contacts, draft.chat, sender);
      if (message.replyTo !== undefined && (repliedTo?.chatId !== chatId || !visible(sender!, repliedTo))) {
        throw new NotFound("The message replied to does not exist");
      }
      const { text, clientId, replyTo = null } = message;
      return { message: draft.add({ kind: "text", senderId, clientId, bodyHash: hash, text, replyTo }), stored: true };
    },
  };
}

/** What came of one message: its own refusal is an answer, anything else fails the call. */
export async function outcomeOf(sending: Promise<{ message: Message; stored: boolean }>): Promise<Sent> {
  try {
    return { ok: true, ...(await sending) };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const { message, data } = error as DomainError;
    return { ok: false, error: { code, message, ...(data.retryAfterMs === undefined ? {} : { retryAfterMs: data.retryAfterMs }) } };
  }
}
