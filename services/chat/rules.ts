/** Declares validation rules that several of chat's actions share. */
import { id, visibleName } from "../../core/contract/rules.ts";

/** 1-10,000 characters, not only white space. Stored as sent. */
export const messageText = {
  type: "string",
  min: 1,
  max: 10_000,
  pattern: /\S/,
  messages: { stringPattern: "must not be blank" },
} as const;

/** One emoji from Unicode's list of those recommended for general interchange (RGI_Emoji in UTS #51). */
export const emoji = {
  type: "string",
  max: 64,
  pattern: /^\p{RGI_Emoji}$/v,
  messages: { stringPattern: "must be one emoji" },
} as const;

export const outgoingMessage = {
  type: "object",
  props: {
    text: messageText,
    clientId: {
      type: "string",
      min: 1,
      max: 64,
      description: "The sender's id for the message. A message that is sent again with the same id is stored once",
    },
    replyTo: { ...id, optional: true },
  },
} as const;

export const groupName = { ...visibleName, min: 1, max: 100 } as const;
export const isoTime = {
  type: "string",
  pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/,
  max: 40,
  messages: { stringPattern: "must be a time as ISO-8601 writes it, with its zone" },
} as const;
