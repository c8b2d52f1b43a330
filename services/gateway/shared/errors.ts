/**
 * Maps errors to what clients may see, over HTTP and sockets. An unexpected error becomes `INTERNAL` with a fixed text, so internal
 * messages never leave the server.
 */
import { codeOf, statusOf, type DomainErrorCode, type ErrorData, type FieldError } from "../../../core/errors.ts";
import { requestIds } from "../../../core/request-context.ts";
import { invalidInput } from "./input-rules.ts";

export interface PublicError {
  readonly status: number;
  readonly message: string;
  readonly code: DomainErrorCode;
  readonly details?: readonly FieldError[];
  readonly retryAfterMs?: number;
}

/** The error in a refused event's acknowledgement. */
export interface SocketError {
  readonly message: string;
  readonly code: DomainErrorCode;
  readonly retryAfterMs?: number;
  /** Set whenever the error answers something that a client sent. */
  readonly requestId?: string;
  /** Set if the request is traced. */
  readonly traceId?: string;
}

/** Moleculer's errors that mean "try again". Matched by type, because errors lose their class between nodes. */
const unavailableTypes = new Set([
  "SERVICE_NOT_FOUND",
  "SERVICE_NOT_AVAILABLE",
  "REQUEST_TIMEOUT",
  "REQUEST_SKIPPED",
  "REQUEST_REJECTED",
  "QUEUE_FULL",
  "MAX_CALL_LEVEL",
  "BAD_GATEWAY",
]);
const retryAfterMs = 1000;
const internal: PublicError = { status: 500, message: "Something went wrong on our side", code: "INTERNAL" };
const unavailable: PublicError = { status: 503, message: "Temporarily unavailable, try again", code: "UNAVAILABLE", retryAfterMs };

export function publicError(error: unknown): PublicError {
  const { type, data, message } = (error ?? {}) as { type?: unknown; data?: unknown; message?: string };
  const code = codeOf(error);
  if (code === "INTERNAL") return internal;
  if (code !== undefined) return publicDomainError(code, message ?? code, data ?? {});
  if (type === "VALIDATION_ERROR") return publicError(invalidInput(Array.isArray(data) ? data : []));
  if (type === "UNABLE_DECODE_PARAM") return { status: 400, message: "The path is not valid percent-encoding", code: "VALIDATION" };
  return unavailableTypes.has(type as string) ? unavailable : internal;
}

function publicDomainError(code: DomainErrorCode, message: string, data: ErrorData): PublicError {
  const retryAfterMs = data.retryAfterMs ?? (code === "UNAVAILABLE" ? unavailable.retryAfterMs : undefined);
  return {
    status: statusOf[code],
    message,
    code,
    ...(data.details === undefined ? {} : { details: data.details }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

export function socketError(error: unknown): SocketError {
  const { message, code, retryAfterMs } = publicError(error);
  return { message, code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...requestIds() };
}
