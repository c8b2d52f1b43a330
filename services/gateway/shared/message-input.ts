/** A message as a client sends it, over HTTP or a socket, and as chat takes it: as one of a list, with a clientId. */
import { DomainError, statusOf, type DomainErrorCode } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import type { Infer } from "../../../core/contract/schema.ts";
import { chat, type SendResult } from "../../chat/contract.ts";

const { props } = chat.send.params.messages.items;

export const messageInputRules = { ...props, clientId: { ...props.clientId, optional: true } } as const;
export type MessageInput = Infer<typeof messageInputRules>;

/** Without a clientId we make one up, so that a repeat inside the mesh can't store the message twice. */
export const messageToSend = (input: MessageInput) => ({ ...input, clientId: input.clientId ?? newId() });

/**
 * What became of a message, if it was stored.
 * @throws DomainError  why it was not
 */
export function requireStored(sent: SendResult | undefined): Extract<SendResult, { ok: true }> {
  if (sent?.ok === true) return sent;
  const { code = "UNAVAILABLE", message = "Not stored, try again", retryAfterMs } = sent?.error ?? {};
  const known = Object.hasOwn(statusOf, code) ? (code as DomainErrorCode) : "INTERNAL";
  throw new DomainError(known, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
