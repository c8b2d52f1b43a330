/** File names as clients send them, made safe to show and to save under. */

const fallback = "file";
const maxLength = 200;

/** Control characters, those that change in which direction the rest of a line is shown, and halves of characters. */
const invisibleCharacters = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const hasVisibleCharacters = (name: string): boolean => /[\p{L}\p{N}\p{P}\p{S}]/u.test(name.replaceAll(".", ""));

/** The last part of a path, without what can't be seen, 1-200 characters. */
export function safeName(sent: string): string {
  const name = sent.split(/[/\\]/).at(-1)!.replace(invisibleCharacters, "").trim();
  return hasVisibleCharacters(name) ? shortened(name) : fallback;
}

/** With another extension, where the bytes became another format. */
export const withExtension = (name: string, extension: string): string => shortened(`${name.replace(/\.[^.]{1,5}$/, "")}.${extension}`);

/** Cut before its extension. */
function shortened(name: string): string {
  if (name.length <= maxLength) return name;
  const extension = /\.[^.\s]{1,20}$/u.exec(name)?.[0] ?? "";
  // A cut through a character leaves half of it.
  return name.slice(0, maxLength - extension.length).replace(/\p{Cs}$/u, "") + extension;
}
