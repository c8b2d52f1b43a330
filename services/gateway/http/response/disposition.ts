/** How a browser is to take a file: shown in a page, or saved under its name (RFC 6266). */

/** Types that browsers show or play without running anything in them. */
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
  // What old clients read: nothing that could end the quotes or be decoded once more.
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/gu, "_");
  return `${inlineTypes.has(mimeType) ? "inline" : "attachment"}; filename="${ascii}"; filename*=UTF-8''${extendedValue(name)}`;
}

/** RFC 8187's value-chars: encodeURIComponent leaves four characters that it doesn't allow. */
const extendedValue = (name: string): string =>
  encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
