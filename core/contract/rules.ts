/** Validation rules that more than one contract uses. */

/** A 24-hex id. Upper case is refused, so that one thing has one name. */
export const id = { type: "string", pattern: /^[0-9a-f]{24}$/, messages: { stringPattern: "must be a 24-digit hex id" } } as const;

/** An e-mail address, trimmed and case-folded. The validator's own pattern takes 15 s on 90 kB of `@`: here the length is looked at first. */
export const emailAddress = {
  type: "string",
  trim: true,
  lowercase: true,
  max: 254,
  pattern: /^(?=.{3,254}$)[^\s@\p{C}]+@[^\s@\p{C}]+\.[^\s@\p{C}]+$/u,
  messages: { stringPattern: "must be an e-mail address" },
} as const;

/** A name or title, trimmed: something to see, and nothing that changes how the rest of a line is shown. */
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
  description: "How many at most",
} as const;
