/** Defines the rules that routes with pictures share. */

/** A picture in JSON: a data URI (JPEG, PNG, GIF or WebP, at most 5 MB), the current picture's URL to keep it, or null to remove it. */
export const pictureRule = {
  type: "string",
  max: 2000,
  optional: true,
  nullable: true,
  description: "or the current picture's URL to keep it; or null to remove it",
} as const;

/** A picture in JSON: a data URI, or null to remove it. */
export const dataUriOrNull = {
  type: "string",
  enum: [],
  optional: true,
  nullable: true,
  messages: { stringEnum: "must be a data URI, or null" },
} as const;

/** The maximum size of a JSON body with a picture of 5 MB in base64. */
export const dataUriJsonBytes = 7 * 1024 * 1024;
