/** Records requests, events and connections in the security log that were forbidden or rate-limited. */
import { codeOf, TooMany } from "../../../core/errors.ts";
import type { SecurityLog, SecurityActor } from "../../../core/security/log.ts";

/** @param request  a route's pattern or an event's name; never text that the client chose */
export function logRefusal({ security }: { readonly security: SecurityLog }, actor: SecurityActor, request: string, error: unknown): void {
  const code = codeOf(error);
  if (code === "FORBIDDEN") security.record("access_denied", actor, { request });
  else if (code === "RATE_LIMITED")
    security.record("limit_reached", actor, { request, limit: error instanceof TooMany ? error.limit : undefined });
}
