/** Messages in the shape that the API returns, stored or still in the outbox. */
import type { Message } from "../documents.ts";
import type { QueuedMessage } from "../outbox/queued-message.ts";
import type { DeliveryState } from "./watermarks.ts";

/** A message in a chat's view. One of one's own that is not stored yet has `n` and `seq` 0 and no `_id`. */
export interface MessageView extends Message {
  /** Of one's own; anyone else's is `sent`. */
  readonly state: "sending" | "failed" | DeliveryState;
  /** Why it failed. */
  readonly failure?: QueuedMessage["failure"];
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
