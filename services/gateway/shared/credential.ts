/** Reads the access token of a request, and builds the cookie in which browsers keep it. */
import { parseCookie, stringifySetCookie } from "cookie";

interface CredentialRequest {
  readonly headers: { readonly authorization?: string | undefined; readonly cookie?: string | undefined };
}

const cookieName = "token";
const daySeconds = 24 * 60 * 60;

/** The request's access token, not verified. A bearer token takes precedence over the cookie. */
export function tokenOf({ headers: { authorization, cookie } }: CredentialRequest): string | undefined {
  if (authorization !== undefined && authorization.slice(0, 7).toLowerCase() === "bearer ") return authorization.slice(7).trim();
  return parseCookie(cookie ?? "")[cookieName];
}

/**
 * The Set-Cookie header that stores this token for 24 hours.
 * @param token  null deletes the cookie
 * @param isSecure  the browser sends the cookie over TLS only
 */
export function tokenCookie(token: string | null, isSecure: boolean): string {
  const maxAge = token === null ? 0 : daySeconds;
  return stringifySetCookie({ name: cookieName, value: token ?? "", maxAge, path: "/", httpOnly: true, sameSite: "lax", secure: isSecure });
}
