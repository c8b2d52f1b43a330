/** Converts a message that a client sends, over HTTP or a socket, to the params of `chat.send`. */
import { DomainError, statusOf, type DomainErrorCode } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import type { Infer } from "../../../core/contract/schema.ts";
import { chat, type SendResult } from "../../chat/contract.ts";

const { props } = chat.send.params.messages.items;

export const messageInputRules = { ...props, clientId: { ...props.clientId, optional: true } } as const;
export type MessageInput = Infer<typeof messageInputRules>;

/** Generates a missing clientId, so that a call repeated within the mesh can't store the message twice. */
export const messageToSend = (input: MessageInput) => ({ ...input, clientId: input.clientId ?? newId() });

/**
 * The result of a stored message.
 * @throws DomainError  the reason why it was not stored
 */
export function requireStored(sent: SendResult | undefined): Extract<SendResult, { ok: true }> {
  if (sent?.ok === true) return sent;
  const { code = "UNAVAILABLE", message = "Not stored, try again", retryAfterMs } = sent?.error ?? {};
  const publicCode = Object.hasOwn(statusOf, code) ? (code as DomainErrorCode) : "INTERNAL";
  throw new DomainError(publicCode, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
