/** Reads the access token of a request, and builds the cookie in which browsers keep it. */
interface CredentialRequest {
  readonly headers: { readonly authorization?: string | undefined; readonly cookie?: string | undefined };
}

const cookieName = "token=";
const daySeconds = 24 * 60 * 60;

/** The request's access token, not verified. A bearer token takes precedence over the cookie. */
export function tokenOf({ headers: { authorization, cookie } }: CredentialRequest): string | undefined {
  if (authorization !== undefined && authorization.slice(0, 7).toLowerCase() === "bearer ") return authorization.slice(7).trim();
  return cookie === undefined ? undefined : cookieToken(cookie);
}

function cookieToken(header: string): string | undefined {
  for (let from = 0; from < header.length;) {
    const semicolon = header.indexOf(";", from);
    const end = semicolon < 0 ? header.length : semicolon;
    while (header[from] === " ") from++;
    if (header.startsWith(cookieName, from)) return header.slice(from + cookieName.length, end).trim();
    from = end + 1;
  }
  return undefined;
}

/**
 * The Set-Cookie header that stores this token for 24 hours.
 * @param token  null deletes the cookie
 * @param isSecure  the browser sends the cookie over TLS only
 */
export function tokenCookie(token: string | null, isSecure: boolean): string {
  const cookie = token === null ? `${cookieName}; Max-Age=0` : `${cookieName}${token}; Max-Age=${daySeconds}`;
  return `${cookie}; Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;
}
