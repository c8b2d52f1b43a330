/** Writes JSON responses, and errors in one shape. Each error is logged once. */
import type { ServerResponse } from "node:http";
import type { Logger, Span } from "moleculer";
import { requestIds } from "../../../../core/request-context.ts";
import { publicError } from "../../shared/errors.ts";
import { routeName, type HttpRequest } from "../request/http-request.ts";

const baseHeaders = {
  "X-Frame-Options": "DENY",
  "X-Content-Type-Options": "nosniff",
  "X-XSS-Protection": "1; mode=block",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cache-Control": "no-store",
} as const;
const tlsHeaders = { "Strict-Transport-Security": "max-age=31536000" } as const;

/** The headers of all responses. */
export const securityHeaders = (isSecure: boolean): [string, string][] =>
  Object.entries({ ...baseHeaders, ...(isSecure ? tlsHeaders : {}) });

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(text);
}

export function answerError(log: Logger, request: HttpRequest, response: ServerResponse, error: unknown): void {
  const { status, message, code, details, retryAfterMs } = publicError(error);
  // The query is not logged; it may contain an email address.
  const { requestId, method, path } = request;
  if (code === "INTERNAL") log.error({ requestId, method, path, err: error }, "Request failed");
  else if (code === "UNAVAILABLE") log.warn({ requestId, method, path, reason: reasonOf(error as Error) }, "Request could not be served");
  else log.debug({ requestId, method, path, status, code }, "Request refused");
  // The client has disconnected, or has received a part of a response already.
  if (response.destroyed || response.headersSent) {
    response.destroy();
    return;
  }
  if (retryAfterMs !== undefined) response.setHeader("Retry-After", Math.max(1, Math.ceil(retryAfterMs / 1000)));
  answerJson(response, status, { message, code, ...(details === undefined ? {} : { details }), ...requestIds(), requestId });
}

/** Describes a traced request in its span, without identifying the user or the object. */
export function tagSpan(span: Span, request: HttpRequest, { statusCode }: ServerResponse): void {
  span.name = routeName(request);
  span.addTags({ "http.status_code": statusCode, ...(statusCode < 500 ? {} : { error: "true" }) });
}

/** An error's cause, which operators see and clients do not. */
const reasonOf = ({ message, cause }: Error): string => (cause instanceof Error ? `${message} (${cause.message})` : message);
