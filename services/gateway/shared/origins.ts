/**
 * Decides which web pages may use a user's credential: those of the server's own origin and of `CORS_ORIGINS`. A request without an
 * Origin header does not come from a page of another site, and is allowed.
 */
import type { Config } from "../../../core/config/config.ts";

interface OriginRequest {
  readonly headers: { readonly origin?: string | undefined; readonly host?: string | undefined };
}
export interface Origins {
  /** Whether this request's page may change state or open a socket. */
  readonly isAllowed: (request: OriginRequest) => boolean;
  /** The CORS headers of the response to this request. */
  readonly headers: (request: OriginRequest) => Readonly<Record<string, string>>;
}

/** Further headers of a preflight's response. Browsers ignore them if the page's origin is not allowed. */
export const preflightHeaders = {
  "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
  "Access-Control-Allow-Headers": "Content-Type, Authorization, Range, If-Range, If-None-Match",
  "Access-Control-Max-Age": "600",
} as const;
const exposedHeaders = "Link, Retry-After, X-Request-ID, ETag, Accept-Ranges, Content-Range, Content-Disposition";
const varyHeader = { Vary: "Origin" } as const;

export function origins({ PUBLIC_URL, CORS_ORIGINS }: Pick<Config, "PUBLIC_URL" | "CORS_ORIGINS">): Origins {
  const allowedOrigins = new Set([...CORS_ORIGINS, ...(PUBLIC_URL === undefined ? [] : [PUBLIC_URL])]);
  // Behind a proxy that terminates TLS, the page's scheme differs from the server's, so only the host is compared.
  const isOwn = (origin: string, host: string | undefined) =>
    PUBLIC_URL === undefined && host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  const isAllowed = ({ headers: { origin, host } }: OriginRequest) =>
    origin === undefined || allowedOrigins.has(origin) || isOwn(origin, host);
  return {
    isAllowed,
    headers: (request) => {
      const { origin } = request.headers;
      if (origin === undefined || !isAllowed(request)) return varyHeader;
      return {
        ...varyHeader,
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": exposedHeaders,
      };
    },
  };
}
