/** What kind of file bytes are, by the bytes alone: names and declared types are whatever the sender likes. */
import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { fileTypeFromBuffer } from "file-type";

/** Images that are made anew. Whatever else might be read as one stays as it was sent. */
const imageTypes = ["image/jpeg", "image/png", "image/apng", "image/gif", "image/webp", "image/avif"] as const;
export type ImageType = (typeof imageTypes)[number];
export const isImage = (mimeType: string | undefined): mimeType is ImageType => imageTypes.some((type) => type === mimeType);

/** What profile and group pictures may be. */
export const isPicture = (mimeType: string | undefined): mimeType is ImageType => isImage(mimeType) && mimeType !== "image/avif";

/** Enough for file-type to know what it knows. */
export const headBytes = 16 * 1024;

const binaryType = "application/octet-stream";
const plainText = "text/plain";

/** Documents that a browser might run. */
const isMarkup = (mimeType: string): boolean => /[/+](?:html|svg|xml|javascript)$/.test(mimeType);

const pngSignature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

/** The type that these first bytes show; undefined when they show none, as text does. */
export async function detectType(head: Buffer): Promise<string | undefined> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined); // It throws at some that end early.
  // It looks for a PNG's first pixels, which a long profile may put behind the head.
  if (found === undefined) return head.subarray(0, pngSignature.length).equals(pngSignature) ? "image/png" : undefined;
  const mimeType = found.mime.split(";")[0]!;
  return isMarkup(mimeType) ? binaryType : mimeType;
}

/** What a file without a known type is called: text if all of it is text and no markup, else just bytes. */
export async function textOrBinaryType(bytes: Readable): Promise<string> {
  let rest = Buffer.alloc(0);
  let isFirst = true;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    // A character may lie across two chunks.
    const end = wholeCharacters(all);
    if (!isText(all.subarray(0, end)) || (isFirst && looksLikeMarkup(all))) return binaryType;
    rest = Buffer.from(all.subarray(end));
    isFirst = false;
  }
  return rest.length === 0 ? plainText : binaryType;
}

const isText = (bytes: Buffer): boolean => isUtf8(bytes) && !bytes.some((byte) => byte < 32 && ![9, 10, 12, 13].includes(byte));

const looksLikeMarkup = (bytes: Buffer): boolean => /^\uFEFF?\s*</.test(bytes.subarray(0, headBytes).toString());

/** Where the last character that is whole ends: at most three bytes of an unfinished one may follow. */
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
