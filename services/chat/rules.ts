/** Validation rules for what a message and a reaction contain. */

/** 1-10,000 characters, stored as sent, not only white space. */
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
