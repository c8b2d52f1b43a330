/** Parses the byte range that a request asks for (RFC 9110, section 14). */
import type { IncomingHttpHeaders } from "node:http";
import type { ByteRange } from "../../../../core/blobs/blobs.ts";

/**
 * @param size  of the whole file, bytes
 * @returns undefined for the whole file, also for several ranges or an invalid one; null if the range starts after the end
 */
export function rangeOf({ range, "if-range": condition }: IncomingHttpHeaders, size: number, etag: string): ByteRange | undefined | null {
  // Files have no Last-Modified, so only the ETag can prove that the client's part is of the same file.
  if (range === undefined || (condition !== undefined && condition !== etag)) return undefined;
  const [, first = "", last = ""] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(range) ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") return lastBytes(Number(last), size);
  const start = Number(first);
  const end = last === "" ? size - 1 : Number(last);
  if (end < start && last !== "") return undefined;
  return start >= size ? null : { start, end: Math.min(end, size - 1) };
}

const lastBytes = (count: number, size: number): ByteRange | null =>
  count === 0 ? null : { start: Math.max(0, size - count), end: size - 1 };
