/**
 * Streams files or ranges of them from the blob store, no faster than the client reads. Permissions are checked before, on every request:
 * clients may cache a response, but must revalidate it before use.
 */
import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Blobs } from "../../../../core/blobs/blobs.ts";
import { NotFound } from "../../../../core/errors.ts";
import { contentKey, thumbKey, type StoredFile } from "../../../media/contract.ts";
import type { HttpRequest } from "../request/http-request.ts";
import { answerJson } from "./answer.ts";
import { dispositionOf } from "./disposition.ts";
import { matchesEtag } from "./etag.ts";
import { concurrencyLimit } from "../request/concurrency-limit.ts";
import { rangeOf } from "./ranges.ts";

export interface Download {
  readonly file: StoredFile;
  readonly isThumb: boolean;
}

interface DownloadBlob {
  readonly key: string;
  readonly mimeType: string;
  readonly name: string;
  /** Bytes. The sizes of thumbnails are not stored, so they have no ranges. */
  readonly size?: number;
}

/** Each keeps a file open for as long as the client reads. */
const downloadsInProgress = concurrencyLimit({
  name: "downloads",
  total: 500,
  perUser: 50,
  refusal: "Too many downloads at once, try again",
});
/** A client that reads nothing for this long is disconnected. */
const stallTimeoutMs = 30_000;

export interface DownloadContext {
  readonly blobs: Blobs;
  readonly userId: string;
  readonly request: HttpRequest;
  readonly response: ServerResponse;
}

/** @throws NotFound  the bytes do not exist; Unavailable  too many downloads at once */
export async function answerFile(context: DownloadContext, download: Download): Promise<void> {
  const release = downloadsInProgress.acquire(context.userId);
  try {
    await streamFile(context, download);
  } finally {
    release();
  }
}

async function streamFile({ blobs, request, response }: DownloadContext, download: Download): Promise<void> {
  const blob = blobOf(download);
  // The bytes of a key never change.
  const etag = `"${blob.key}"`;
  if (matchesEtag(request.headers["if-none-match"], etag)) {
    setHeaders(response, { ETag: etag, "Cache-Control": caching });
    response.writeHead(304).end();
    return;
  }
  const range = blob.size === undefined || request.isHead ? undefined : rangeOf(request.headers, blob.size, etag);
  if (range === null) {
    response.setHeader("Content-Range", `bytes */${blob.size}`);
    answerJson(response, 416, {
      message: "The requested range starts after the end of the file",
      code: "VALIDATION",
      requestId: request.requestId,
    });
    return;
  }
  const bytes = request.isHead ? undefined : await blobs.read(blob.key, range);
  if (bytes === undefined && !request.isHead) throw new NotFound("No such file");
  setHeaders(response, { ...headersOf(blob), ETag: etag });
  if (range !== undefined) {
    response.statusCode = 206;
    setHeaders(response, {
      "Content-Range": `bytes ${range.start}-${range.end}/${blob.size}`,
      "Content-Length": range.end - range.start + 1,
    });
  }
  if (bytes === undefined) {
    response.end();
    return;
  }
  // If the client has disconnected meanwhile, nothing would consume and close the stream.
  if (response.destroyed) {
    bytes.destroy();
    return;
  }
  response.setTimeout(stallTimeoutMs, () => response.destroy());
  await pipeline(bytes, response).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error; // The client disconnected.
  });
}

const caching = "private, no-cache";

function blobOf({ file, isThumb }: Download): DownloadBlob {
  if (!isThumb) return { ...file, key: contentKey(file) };
  if (!file.hasThumb) throw new NotFound("This file has no thumbnail");
  return { key: thumbKey(file.fileId), mimeType: "image/webp", name: "thumbnail.webp" };
}

const headersOf = (blob: DownloadBlob): Record<string, string | number> => ({
  "Content-Type": blob.mimeType === "text/plain" ? "text/plain; charset=utf-8" : blob.mimeType,
  "Content-Disposition": dispositionOf(blob),
  // Whatever the file is, it must not run scripts or access this origin.
  "Content-Security-Policy": "default-src 'none'; sandbox",
  "Cache-Control": caching,
  ...(blob.size === undefined ? {} : { "Content-Length": blob.size, "Accept-Ranges": "bytes" }),
});

function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
