/** What the routes that take pictures have in common. */

/** A picture in JSON: a data URI (JPEG, PNG, GIF or WebP, at most 5 MB), the present picture's URL to leave it, or null to remove it. */
export const pictureRule = {
  type: "string",
  max: 2000,
  optional: true,
  nullable: true,
  description: "or the present picture's URL, which leaves it; or null, which removes it",
} as const;

/** A picture in JSON: a data URI, or null to remove it. */
export const dataUriOrNull = {
  type: "string",
  enum: [],
  optional: true,
  nullable: true,
  messages: { stringEnum: "must be a data URI, or null" },
} as const;

/** Of a JSON body with a picture of 5 MB in base64. */
export const dataUriJsonBytes = 7 * 1024 * 1024;
