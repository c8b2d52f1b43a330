/**
 * Domain errors: what a caller can be told. They extend Moleculer's so that they cross the wire; there they lose their class,
 * so they are recognised by `type`, never by `instanceof`.
 */
import { Errors } from "moleculer";

/** The stable code words of the public API and their HTTP statuses. */
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
  /** Milliseconds after which a repeat may succeed. */
  readonly retryAfterMs?: number;
}

export class DomainError extends Errors.MoleculerError {
  declare readonly type: DomainErrorCode;
  declare readonly data: ErrorData;
  constructor(type: DomainErrorCode, message: string, data: ErrorData = {}) {
    super(message, statusOf[type], type, data);
    this.name = "DomainError";
    // Moleculer's retry middleware repeats idempotent calls that failed this way.
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
  /** Which limit it is, for operators. */
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

/** This node can't start, and waiting won't help. The message is one line for the operator; the process ends with exit code 1. */
export class StartError extends Error {}

/** A command of the operator's can't be carried out. The message is one line; the process ends with exit code 1. */
export class CommandError extends Error {}

/** The domain error's code, also after the error has crossed the wire; undefined for anything else. */
export function codeOf(error: unknown): DomainErrorCode | undefined {
  const type = (error as { type?: unknown } | null | undefined)?.type;
  return typeof type === "string" && Object.hasOwn(statusOf, type) ? (type as DomainErrorCode) : undefined;
}
