/** Reads files that JSON contains as base64 data URIs (RFC 2397). */
import { DomainError, Invalid } from "../../../../core/errors.ts";

const maxPrefixLength = 200;
const dataUriStart = /"data:/gi;
/** Starts of data URIs to look at; a body with a picture has one. */
const maxCandidates = 20;

export const isDataUri = (value: unknown): value is string => typeof value === "string" && /^data:/i.test(value);

export interface ExtractedDataUri {
  /** The JSON with `placeholder` in place of the data URI. */
  readonly rest: Buffer;
  /** The data URI as a JSON literal, with its quotes. */
  readonly literal: string;
}
export const placeholder = "data:,";

/**
 * Extracts the longest data URI from JSON without parsing it: parsing millions of other values would block the event loop.
 * @returns undefined if there is none
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
 * Decodes a data URI. The type that it declares is ignored.
 * @param field  the field's name in errors
 * @throws Invalid  not base64, or empty; DomainError TOO_LARGE
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
