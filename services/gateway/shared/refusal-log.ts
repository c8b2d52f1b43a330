/** Tells the security log of requests, events and connections that were refused for want of a right, or for their number. */
import { codeOf, TooMany } from "../../../core/errors.ts";
import type { SecurityLog, SecurityActor } from "../../../core/security/log.ts";

/** @param request  what was asked for: a route's pattern, an event's name; never what a client can make up */
export function logRefusal({ security }: { readonly security: SecurityLog }, who: SecurityActor, request: string, error: unknown): void {
  const code = codeOf(error);
  if (code === "FORBIDDEN") security.record("access_denied", who, { request });
  else if (code === "RATE_LIMITED")
    security.record("limit_reached", who, { request, limit: error instanceof TooMany ? error.limit : undefined });
}
