/** Files that come inside of JSON, as data URIs (RFC 2397) in base64. */
import { DomainError, Invalid } from "../../../../core/errors.ts";

const maxPrefixLength = 200;
const dataUriStart = /"data:/gi;
/** Beginnings of data URIs; a body with a picture has one. */
const maxCandidates = 20;

export const isDataUri = (value: unknown): value is string => typeof value === "string" && /^data:/i.test(value);

/** A JSON text with its longest data URI taken out. */
export interface ExtractedDataUri {
  /** The text with `placeholder` in its place. */
  readonly rest: Buffer;
  /** As JSON writes it, quotes included. */
  readonly literal: string;
}
export const placeholder = "data:,";

/**
 * Takes the longest data URI out of a JSON text, unparsed: parsing millions of other values would hold everybody up.
 * @returns undefined when there is none
 */
export function extractDataUri(json: Buffer): ExtractedDataUri | undefined {
  const text = json.toString("latin1");
  let [begin, end, candidates] = [0, 0, 0];
  for (const { index } of text.matchAll(dataUriStart)) {
    const after = text.indexOf('"', index + 1) + 1;
    if (after - index > end - begin) [begin, end] = [index, after];
    if (++candidates === maxCandidates) break;
  }
  if (end === 0) return undefined;
  return { rest: Buffer.from(`${text.slice(0, begin)}"${placeholder}"${text.slice(end)}`, "latin1"), literal: text.slice(begin, end) };
}

/**
 * The bytes; the type that the URI declares says nothing about them.
 * @param field  named in errors
 * @throws Invalid  not base64, or nothing; DomainError TOO_LARGE
 */
export function dataUriBytes(uri: string, field: string, maxBytes: number): Buffer {
  const comma = uri.slice(0, maxPrefixLength).indexOf(",");
  const encoded = uri.slice(comma + 1);
  const isBase64 = comma > 0 && /;base64$/i.test(uri.slice(0, comma)) && /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) && encoded.length % 4 === 0;
  if (!isBase64) {
    const message = "must be a data URI in base64";
    throw new Invalid(`${field} ${message}`, [{ field, message }]);
  }
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.length > maxBytes) throw new DomainError("TOO_LARGE", `The file is larger than ${maxBytes} bytes`);
  return bytes;
}
