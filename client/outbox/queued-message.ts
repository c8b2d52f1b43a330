/** Makes the messages of the outbox, and the payloads that send them. */
import type { ErrorCode } from "../errors.ts";

export interface QueuedMessage {
  readonly chatId: string;
  readonly clientId: string;
  readonly text: string;
  readonly replyTo?: string;
  /** Kept in memory only: the message is lost when the process ends. */
  readonly file?: { readonly blob: Blob; readonly name: string };
  /** ISO 8601, by this device's clock. */
  readonly createdAt: string;
  /** Why the server refused it permanently. */
  failure?: { readonly code: ErrorCode; readonly message: string };
}

export interface SendOptions {
  /** The `_id` of the message replied to. */
  readonly replyTo?: string;
}
export interface FileOptions extends SendOptions {
  readonly name: string;
  readonly text?: string;
}

/** Makes 128 random bits in hex: unique for the sender across devices. */
export const newClientId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const textMessage = (chatId: string, text: string, { replyTo }: SendOptions): QueuedMessage => ({
  chatId,
  clientId: newClientId(),
  text,
  ...(replyTo === undefined ? {} : { replyTo }),
  createdAt: new Date().toISOString(),
});

export const fileMessage = (chatId: string, blob: Blob, { name, text = "", replyTo }: FileOptions): QueuedMessage => ({
  ...textMessage(chatId, text, replyTo === undefined ? {} : { replyTo }),
  file: { blob, name },
});

/** The payload of the event `sendMessage`. */
export const payloadOf = ({ chatId, clientId, text, replyTo }: QueuedMessage): object => ({
  chatId,
  clientId,
  text,
  ...(replyTo === undefined ? {} : { replyTo }),
});

/** The form of `POST /chat/send-file`. */
export function formOf({ chatId, clientId, text, replyTo, file }: QueuedMessage): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries({ chatId, clientId, text, replyTo })) if (value) form.append(name, value);
  if (file !== undefined) form.append("file", file.blob, file.name);
  return form;
}
