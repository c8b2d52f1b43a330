/** Request bodies: read as bytes up to a limit, and understood as JSON later, when it is known who sent them. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { codeOf, DomainError, Invalid } from "../../../../core/errors.ts";
import type { UploadedFile } from "./spool.ts";

/** What a request brought in its body. */
export interface ReceivedBody {
  readonly params: Record<string, unknown>;
  /** It came in a form: params are texts. */
  readonly isForm: boolean;
  readonly file?: UploadedFile;
  /** Frees what the file holds. */
  readonly release?: () => Promise<void>;
}

/** What a body may have where a row says nothing else. */
export const defaultMaxBytes = 100 * 1024;

/** Whether anything follows the headers. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";

/** Whether its headers say that the body is beyond the limit. */
const isDeclaredLarger = ({ headers }: IncomingMessage, maxBytes: number): boolean => Number(headers["content-length"] ?? 0) > maxBytes;

/** What comes beyond the limit is read and thrown away, so that the client reads our answer. */
function tooLarge(request: IncomingMessage, maxBytes: number): DomainError {
  request.removeAllListeners("data").resume();
  return new DomainError("TOO_LARGE", `The body is larger than ${maxBytes} bytes`);
}

/** The client went away, or broke off. */
export const bodyEndedEarly = (): Invalid => new Invalid("The body ended early");

/** @throws DomainError TOO_LARGE  by its headers, before any of it is read */
export function refuseDeclaredLarger(request: IncomingMessage, maxBytes: number): void {
  if (isDeclaredLarger(request, maxBytes)) throw tooLarge(request, maxBytes);
}

/**
 * The body's bytes.
 * @param isBuffered  false counts the bytes and throws them away: the request will be refused
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
    // It may have gone while its sender was looked at.
    if (request.destroyed) rejectEarlyEnd();
  });
}

/** Reads a body that nobody asked for, so that its sender reads our answer. */
export async function discardBody(request: IncomingMessage): Promise<void> {
  if (hasBody(request)) await readBody(request, Infinity, false);
}

/** The params in a JSON body; none without a body. Throws as `readBody` and `parseJson` do. */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<ReceivedBody> {
  const bytes = hasBody(request) ? await readBody(request, maxBytes) : undefined;
  return { params: bytes === undefined || bytes.length === 0 ? {} : parseJson(request, bytes), isForm: false };
}

/** Of a route whose params are elsewhere. @throws Invalid */
export async function expectNoBody(request: IncomingMessage, maxBytes: number): Promise<ReceivedBody> {
  const bytes = hasBody(request) ? await readBody(request, maxBytes) : undefined;
  if (bytes !== undefined && bytes.length > 0) throw new Invalid("No body is expected here");
  return { params: {}, isForm: false };
}

/** The body's chunks as they come, no faster than they are taken. @throws DomainError TOO_LARGE */
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
 * The JSON object in these bytes.
 * @throws Invalid  not JSON, or not an object
 * @throws DomainError UNSUPPORTED_TYPE  declared to be something else than JSON in UTF-8
 */
export function parseJson({ headers }: IncomingMessage, bytes: Buffer): Record<string, unknown> {
  if (!isJson(headers["content-type"] ?? "") || headers["content-encoding"] !== undefined) {
    throw new DomainError("UNSUPPORTED_TYPE", "The body must be application/json in UTF-8, not encoded further");
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
  // Decoding would replace bad bytes silently, and store a text that nobody sent.
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
