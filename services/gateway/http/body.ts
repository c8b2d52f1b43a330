/** Request bodies: read as bytes up to a limit, and understood as JSON later, when it is known who sent them. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { DomainError, Invalid } from "../../../core/errors.ts";

/** Whether anything follows the headers. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";

/**
 * The body's bytes. What comes beyond the limit is read and thrown away, so that the client reads our answer.
 * @param isKept  false counts the bytes and throws them away: the request will be refused
 * @throws DomainError TOO_LARGE
 */
export function readBody(request: IncomingMessage, maxBytes: number, isKept = true): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => {
      request.removeAllListeners("data").resume();
      reject(new DomainError("TOO_LARGE", `The body is larger than ${maxBytes} bytes`));
    };
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
      tooLarge();
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) tooLarge();
      else if (isKept) chunks.push(chunk);
    });
    request.once("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    const cutOff = () => reject(new Invalid("The body ended early"));
    request.once("error", cutOff);
    request.once("close", cutOff);
  });
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
  const value = parsed(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Invalid("The body must be a JSON object");
  return value as Record<string, unknown>;
}

function isJson(contentType: string): boolean {
  if (contentType === "application/json") return true;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("charset="));
  return type.trim() === "application/json" && (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
}

function parsed(bytes: Buffer): unknown {
  // Decoding would replace bad bytes silently, and store a text that nobody sent.
  if (!isUtf8(bytes)) throw new Invalid("The body is not valid UTF-8");
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new Invalid("The body is not valid JSON");
  }
}
