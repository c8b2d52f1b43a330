/**
 * Domain errors are the errors that callers and clients can see. They extend Moleculer's error class so that they can be sent between
 * nodes. They lose their class on the way, so recognise them by `type`, never by `instanceof`.
 */
import { Errors } from "moleculer";

/** The error codes of the public API, which never change, with their HTTP statuses. */
export const statusOf = {
  VALIDATION: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  TOO_LARGE: 413,
  UNSUPPORTED_TYPE: 415,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const;
export type DomainErrorCode = keyof typeof statusOf;

export interface FieldError {
  readonly field: string;
  readonly message: string;
}
export interface ErrorData {
  readonly details?: readonly FieldError[];
  /** Milliseconds after which a retry may succeed. */
  readonly retryAfterMs?: number;
}

export class DomainError extends Errors.MoleculerError {
  declare readonly type: DomainErrorCode;
  declare readonly data: ErrorData;
  constructor(type: DomainErrorCode, message: string, data: ErrorData = {}) {
    super(message, statusOf[type], type, data);
    this.name = "DomainError";
    // Moleculer's retry middleware repeats idempotent calls that failed with a retryable error.
    (this as { retryable: boolean }).retryable = type === "UNAVAILABLE";
  }
}

export class Invalid extends DomainError {
  constructor(message: string, details: readonly FieldError[] = []) {
    super("VALIDATION", message, details.length > 0 ? { details } : {});
  }
}
export class Unauthenticated extends DomainError {
  constructor(message = "Log in first") {
    super("UNAUTHENTICATED", message);
  }
}
export class Forbidden extends DomainError {
  constructor(message = "Not allowed") {
    super("FORBIDDEN", message);
  }
}
export class NotFound extends DomainError {
  constructor(message = "Not found") {
    super("NOT_FOUND", message);
  }
}
export class Conflict extends DomainError {
  constructor(message = "Changed by someone else meanwhile") {
    super("CONFLICT", message);
  }
}
export class TooMany extends DomainError {
  /** The name of the limit, for operators. */
  readonly limit: string | undefined;
  constructor(retryAfterMs: number, message = "Too many requests", limit?: string) {
    super("RATE_LIMITED", message, { retryAfterMs });
    this.limit = limit;
  }
}
export class Unavailable extends DomainError {
  constructor(message = "Temporarily unavailable, try again", retryAfterMs = 1000) {
    super("UNAVAILABLE", message, { retryAfterMs });
  }
}

/** The node can't start, and a retry would not help. The message is one line for the operator; the process ends with exit code 1. */
export class StartError extends Error {}

/** An operator's command failed. The message is one line for the operator; the process ends with exit code 1. */
export class CommandError extends Error {}

/** The code of a domain error, also of one that another node threw; undefined for any other error. */
export function codeOf(error: unknown): DomainErrorCode | undefined {
  const type = (error as { type?: unknown } | null | undefined)?.type;
  return typeof type === "string" && Object.hasOwn(statusOf, type) ? (type as DomainErrorCode) : undefined;
}
