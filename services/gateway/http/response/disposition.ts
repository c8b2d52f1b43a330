/** Tells browsers whether to show a file in the page or to save it under its name (RFC 6266). */

/** Types that browsers show or play without running any content. */
const inlineTypes = new Set([
  "image/jpeg",
  "image/png",
  "image/gif",
  "image/webp",
  "video/mp4",
  "video/webm",
  "video/ogg",
  "video/quicktime",
  "audio/mpeg",
  "audio/mp4",
  "audio/x-m4a",
  "audio/aac",
  "audio/ogg",
  "audio/opus",
  "audio/wav",
  "audio/webm",
  "audio/flac",
  "audio/x-flac",
]);

/** The Content-Disposition header's value. */
export function dispositionOf({ mimeType, name }: { readonly mimeType: string; readonly name: string }): string {
  // Old clients read this one: no character that could end the quotes or be decoded again.
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/gu, "_");
  return `${inlineTypes.has(mimeType) ? "inline" : "attachment"}; filename="${ascii}"; filename*=UTF-8''${extendedValue(name)}`;
}

/** RFC 8187 value-chars. encodeURIComponent leaves four characters as they are that RFC 8187 does not allow. */
const extendedValue = (name: string): string =>
  encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
