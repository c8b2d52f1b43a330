/** Reads request bodies as bytes up to a limit, and parses them as JSON. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { codeOf, DomainError, Invalid } from "../../../../core/errors.ts";
import type { UploadedFile } from "./spool.ts";

export interface ReceivedBody {
  readonly params: Record<string, unknown>;
  /** Params of a form are all strings. */
  readonly isForm: boolean;
  readonly file?: UploadedFile;
  /** Frees the file, and the upload's slot. */
  readonly release?: () => Promise<void>;
}

/** For rows without a limit of their own. */
export const defaultMaxBytes = 100 * 1024;

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";

const isDeclaredLarger = ({ headers }: IncomingMessage, maxBytes: number): boolean => Number(headers["content-length"] ?? 0) > maxBytes;

/** Discards the rest of the body: a client that is still sending would not read the response. */
function tooLarge(request: IncomingMessage, maxBytes: number): DomainError {
  request.removeAllListeners("data").resume();
  return new DomainError("TOO_LARGE", `The body is larger than ${maxBytes} bytes`);
}

/** The client disconnected, or the body is incomplete. */
export const bodyEndedEarly = (): Invalid => new Invalid("The body ended early");

/** @throws DomainError TOO_LARGE  by Content-Length, before any of the body is read */
export function refuseDeclaredLarger(request: IncomingMessage, maxBytes: number): void {
  if (isDeclaredLarger(request, maxBytes)) throw tooLarge(request, maxBytes);
}

/**
 * The body's bytes.
 * @param isBuffered  false only counts the bytes and discards them, for requests that will be refused
 * @throws DomainError TOO_LARGE
 */
export function readBody(request: IncomingMessage, maxBytes: number, isBuffered = true): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (isDeclaredLarger(request, maxBytes)) {
      reject(tooLarge(request, maxBytes));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) reject(tooLarge(request, maxBytes));
      else if (isBuffered) chunks.push(chunk);
    });
    request.once("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    const rejectEarlyEnd = () => reject(bodyEndedEarly());
    request.once("error", rejectEarlyEnd);
    request.once("close", rejectEarlyEnd);
    // The client may have disconnected during authentication.
    if (request.destroyed) rejectEarlyEnd();
  });
}

/** Reads an unexpected body to its end, so that the client reads the response. */
export async function discardBody(request: IncomingMessage): Promise<void> {
  if (hasBody(request)) await readBody(request, Infinity, false);
}

/** The params in a JSON body; none without a body. Throws like `readBody` and `parseJson`. */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<ReceivedBody> {
  const bytes = hasBody(request) ? await readBody(request, maxBytes) : undefined;
  return { params: bytes === undefined || bytes.length === 0 ? {} : parseJson(request, bytes), isForm: false };
}

/** For routes whose params are in the path and the query. @throws Invalid  there is a body */
export async function expectNoBody(request: IncomingMessage, maxBytes: number): Promise<ReceivedBody> {
  const bytes = hasBody(request) ? await readBody(request, maxBytes) : undefined;
  if (bytes !== undefined && bytes.length > 0) throw new Invalid("This route takes no body");
  return { params: {}, isForm: false };
}

/** The body's chunks as they arrive, with backpressure. @throws DomainError TOO_LARGE */
export async function* bodyChunks(request: IncomingMessage, maxBytes: number): AsyncGenerator<Buffer, void, void> {
  refuseDeclaredLarger(request, maxBytes);
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(request, maxBytes);
      yield chunk;
    }
  } catch (error) {
    throw codeOf(error) === undefined ? bodyEndedEarly() : error;
  } finally {
    request.resume();
  }
}

/**
 * Parses a JSON object.
 * @throws Invalid  not JSON, or not an object
 * @throws DomainError UNSUPPORTED_TYPE  the headers declare something other than JSON in UTF-8
 */
export function parseJson({ headers }: IncomingMessage, bytes: Buffer): Record<string, unknown> {
  if (!isJson(headers["content-type"] ?? "") || headers["content-encoding"] !== undefined) {
    throw new DomainError("UNSUPPORTED_TYPE", "The body must be application/json in UTF-8 without a Content-Encoding");
  }
  const value = parseJsonBytes(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Invalid("The body must be a JSON object");
  return value as Record<string, unknown>;
}

function isJson(contentType: string): boolean {
  if (contentType === "application/json") return true;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("charset="));
  return type.trim() === "application/json" && (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
}

function parseJsonBytes(bytes: Buffer): unknown {
  // Decoding would silently replace invalid bytes, and the stored text would differ from what was sent.
  if (!isUtf8(bytes)) throw new Invalid("The body is not valid UTF-8");
  return parseJsonText(bytes.toString());
}

/** @throws Invalid */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Invalid("The body is not valid JSON");
  }
}
