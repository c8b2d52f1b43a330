/** A message on its way out: as it is made, shown, and put on the wire. */
import type { MessageView } from "../chats/chats.ts";
import type { QueuedMessage } from "./outbox.ts";

export interface SendOptions {
  /** The message replied to. */
  readonly replyTo?: string;
}
export interface FileOptions extends SendOptions {
  readonly name: string;
  readonly text?: string;
}

/** 128 random bits, hex: unique for its sender whatever the device. */
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

/** As `sendMessage` takes it. */
export const payloadOf = ({ chatId, clientId, text, replyTo }: QueuedMessage): object => ({
  chatId,
  clientId,
  text,
  ...(replyTo === undefined ? {} : { replyTo }),
});

/** As `POST /chat/send-file` takes it. */
export function formOf({ chatId, clientId, text, replyTo, file }: QueuedMessage): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries({ chatId, clientId, text, replyTo })) if (value) form.append(name, value);
  if (file !== undefined) form.append("file", file.blob, file.name);
  return form;
}

/** A message that is not stored yet, in the shape of those that are. */
export function pendingView(myId: string, { chatId, clientId, text, replyTo, file, createdAt, failure }: QueuedMessage): MessageView {
  return {
    _id: "",
    chatId,
    senderId: myId,
    n: 0,
    seq: 0,
    kind: file === undefined ? "text" : "file",
    text,
    ...(file === undefined ? {} : { file: { _id: "", url: "", name: file.name, mimeType: file.blob.type, size: file.blob.size } }),
    clientId,
    replyTo: replyTo ?? null,
    reactions: {},
    readBy: [],
    readCount: 0,
    createdAt,
    updatedAt: createdAt,
    editedAt: null,
    deletedAt: null,
    __v: 0,
    state: failure === undefined ? "sending" : "failed",
    ...(failure === undefined ? {} : { failure }),
  };
}
