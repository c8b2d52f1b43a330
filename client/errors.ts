/** Defines the error that the client throws, and makes it from the server's answer. */

export interface ErrorBody {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly details?: readonly { readonly field: string; readonly message: string }[];
  readonly retryAfterMs?: number;
}

/** The server's codes with their statuses. OFFLINE: no answer arrived, so it is unknown whether the request took effect. */
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
  OFFLINE: 0,
} as const;
export type ErrorCode = keyof typeof statusOf;

export class ParleyError extends Error {
  readonly code: ErrorCode;
  /** The HTTP status, also of errors that arrived over the socket; 0 without an answer. */
  readonly status: number;
  readonly details: readonly { readonly field: string; readonly message: string }[];
  /** Milliseconds after which a retry may succeed. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, { details = [], retryAfterMs }: ErrorBody = {}) {
    super(message);
    this.name = "ParleyError";
    this.code = code;
    this.status = statusOf[code];
    this.details = details;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return this.code === "UNAVAILABLE" || this.code === "RATE_LIMITED" || this.code === "OFFLINE";
  }
}

/** Makes the error from the server's answer. An unknown code becomes INTERNAL. */
export function serverError(body: ErrorBody | undefined): ParleyError {
  const { code, message } = body ?? {};
  const known = typeof code === "string" && Object.hasOwn(statusOf, code) ? (code as ErrorCode) : "INTERNAL";
  return new ParleyError(known, typeof message === "string" ? message : "The server answered with an error", body);
}

/** Makes the error of a request without an answer. */
export const offlineError = (cause: unknown): ParleyError => {
  const why = cause instanceof Error ? cause.message : "no connection";
  return Object.assign(new ParleyError("OFFLINE", `No answer from the server: ${why}`), { cause });
};
