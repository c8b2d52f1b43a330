/** Makes file names from clients safe to show and to save under. */

const fallback = "file";
const maxLength = 200;

/** Control characters, characters that change the text direction, and lone surrogates. */
const invisibleCharacters = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const hasVisibleCharacters = (name: string): boolean => /[\p{L}\p{N}\p{P}\p{S}]/u.test(name.replaceAll(".", ""));

/** The last part of a path without invisible characters, 1-200 characters. */
export function safeName(sent: string): string {
  const name = sent.split(/[/\\]/).at(-1)!.replace(invisibleCharacters, "").trim();
  return hasVisibleCharacters(name) ? shortened(name) : fallback;
}

/** Replaces the extension if the bytes became another format. */
export const withExtension = (name: string, extension: string): string => shortened(`${name.replace(/\.[^.]{1,5}$/, "")}.${extension}`);

/** Shortens a name before its extension. */
function shortened(name: string): string {
  if (name.length <= maxLength) return name;
  const extension = /\.[^.\s]{1,20}$/u.exec(name)?.[0] ?? "";
  // Cutting through a character would leave half of it.
  return name.slice(0, maxLength - extension.length).replace(/\p{Cs}$/u, "") + extension;
}
