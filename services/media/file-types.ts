/** Detects the type of a file from its bytes alone: the sender can choose any name and declared type. */
import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { fileTypeFromBuffer } from "file-type";

/** Image types that are re-encoded. All other files are kept as they were sent. */
const imageTypes = ["image/jpeg", "image/png", "image/apng", "image/gif", "image/webp", "image/avif"] as const;
export type ImageType = (typeof imageTypes)[number];
export const isImage = (mimeType: string | undefined): mimeType is ImageType => imageTypes.some((type) => type === mimeType);

/** Allowed types of profile and group pictures. */
export const isPicture = (mimeType: string | undefined): mimeType is ImageType => isImage(mimeType) && mimeType !== "image/avif";

/** Number of first bytes that file-type needs. */
export const headBytes = 16 * 1024;

const binaryType = "application/octet-stream";
const plainText = "text/plain";

/** Types that a browser might execute. */
const isMarkup = (mimeType: string): boolean => /[/+](?:html|svg|xml|javascript)$/.test(mimeType);

const pngSignature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

/** The type that the first bytes show; undefined if they show none, as in text. */
export async function detectType(head: Buffer): Promise<string | undefined> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined); // Throws for some truncated files.
  // file-type looks for a PNG's first pixels, which may come after the head if the colour profile is long.
  if (found === undefined) return head.subarray(0, pngSignature.length).equals(pngSignature) ? "image/png" : undefined;
  const mimeType = found.mime.split(";")[0]!;
  return isMarkup(mimeType) ? binaryType : mimeType;
}

/** The type of a file without a known one: text if all of it is text without markup, otherwise plain bytes. */
export async function textOrBinaryType(bytes: Readable): Promise<string> {
  let rest = Buffer.alloc(0);
  let isFirst = true;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    // A character may span two chunks.
    const end = wholeCharacters(all);
    if (!isText(all.subarray(0, end)) || (isFirst && looksLikeMarkup(all))) return binaryType;
    rest = Buffer.from(all.subarray(end));
    isFirst = false;
  }
  return rest.length === 0 ? plainText : binaryType;
}

const isText = (bytes: Buffer): boolean => isUtf8(bytes) && !bytes.some((byte) => byte < 32 && ![9, 10, 12, 13].includes(byte));

const looksLikeMarkup = (bytes: Buffer): boolean => /^\uFEFF?\s*</.test(bytes.subarray(0, headBytes).toString());

/** End of the last complete character. At most three bytes of an incomplete one follow. */
function wholeCharacters(bytes: Buffer): number {
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 3); at--) {
    const byte = bytes[at]!;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return at + length > bytes.length ? at : bytes.length;
    }
  }
  return bytes.length;
}
