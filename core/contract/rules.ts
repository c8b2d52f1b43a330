/** Validation rules shared by several contracts. */

/** An id of 24 hex digits. Upper case is refused, so that an entity has only one id. */
export const id = { type: "string", pattern: /^[0-9a-f]{24}$/, messages: { stringPattern: "must be a 24-digit hex id" } } as const;

/** An e-mail address, trimmed and lower-cased. The pattern checks the length first: the validator's own takes 15 s for 90 kB of `@`. */
export const emailAddress = {
  type: "string",
  trim: true,
  lowercase: true,
  max: 254,
  pattern: /^(?=.{3,254}$)[^\s@\p{C}]+@[^\s@\p{C}]+\.[^\s@\p{C}]+$/u,
  messages: { stringPattern: "must be an e-mail address" },
} as const;

/** A name or title, trimmed: it has a visible character, and no control characters that change how the rest of a line is displayed. */
export const visibleName = {
  type: "string",
  trim: true,
  pattern: /^(?=.*[\p{L}\p{N}\p{P}\p{S}])[^\p{Cc}\u202a-\u202e\u2066-\u2069]+$/u,
  messages: { stringPattern: "must not be blank or hold control characters" },
} as const;

export const pageLimit = {
  type: "number",
  integer: true,
  min: 1,
  max: 200,
  default: 50,
  convert: true,
  description: "Maximum number of results",
} as const;
