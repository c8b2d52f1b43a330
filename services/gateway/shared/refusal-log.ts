/** Tells the security log of requests, events and connections that were refused for want of a right, or for their number. */
import type { ClientInfo } from "../../../core/contract/call.ts";
import { codeOf, TooMany } from "../../../core/errors.ts";
import type { SecurityLog, SecurityActor } from "../../../core/security/log.ts";
import type { AddressOf } from "./address.ts";

const maxDeviceLength = 200;

/** Who is on the other end. */
export const clientOf = ({ addressOf }: { readonly addressOf: AddressOf }, request: Parameters<AddressOf>[0]): ClientInfo => ({
  device: String(request.headers["user-agent"] ?? "").slice(0, maxDeviceLength),
  address: addressOf(request),
});

/** @param request  what was asked for: a route's pattern, an event's name; never what a client can make up */
export function logRefusal({ security }: { readonly security: SecurityLog }, who: SecurityActor, request: string, error: unknown): void {
  const code = codeOf(error);
  if (code === "FORBIDDEN") security.record("access_denied", who, { request });
  else if (code === "RATE_LIMITED")
    security.record("limit_reached", who, { request, limit: error instanceof TooMany ? error.limit : undefined });
}
