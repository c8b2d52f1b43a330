/** Defines messages as the library returns them, stored or still in the outbox. */
import type { Message } from "../documents.ts";
import type { QueuedMessage } from "../outbox/queued-message.ts";
import type { DeliveryState } from "./watermarks.ts";

/** A message in a chat. Until the server has stored it, its `_id` is empty and its `n` and `seq` are 0. */
export interface MessageView extends Message {
  /** The state of the user's own message. Other people's messages are always `sent`. */
  readonly state: "sending" | "failed" | DeliveryState;
  /** Why it failed. */
  readonly failure?: QueuedMessage["failure"];
}

/** Makes the view of a message that is not stored yet. */
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
