/**
 * Signs and verifies access tokens, which are HS256 JWTs `{sub, sid, era, iat, exp}` (RFC 7519). Auth signs them and gateways verify them
 * without a call. A token does not show that its session was revoked, so auth notifies the gateways of that.
 */
import jwt from "jsonwebtoken";
import { isId } from "../ids.ts";
import { firstEra } from "../node/installation.ts";
import type { JwtSecrets } from "../node/ports.ts";

/** The user and session that a token authenticates. Times are epoch milliseconds. */
export interface Claims {
  readonly userId: string;
  readonly sessionId: string;
  /** The installation's era at log-in. */
  readonly era: string;
  readonly expiresAt: number;
}

const algorithm = "HS256";
const seconds = (ms: number): number => Math.floor(ms / 1000);

/** A token signed with the first secret. Its `exp` is `expiresAt` rounded down to whole seconds. */
export function signToken({ userId, sessionId, era, expiresAt }: Claims, [secret]: JwtSecrets, now: number): string {
  return jwt.sign({ sub: userId, sid: sessionId, era, iat: seconds(now), exp: seconds(expiresAt) }, secret, { algorithm });
}

/**
 * The claims of a token, or undefined if none of the secrets signed it or it has expired.
 * @param now  epoch milliseconds by the mesh's clock
 */
export function verifyToken(token: string, secrets: JwtSecrets, now: number): Claims | undefined {
  for (const secret of secrets) {
    const claims = verifiedWith(token, secret, now);
    if (claims !== undefined) return claims;
  }
  return undefined;
}

type TokenPayload = jwt.JwtPayload & { readonly era?: string };

function verifiedWith(token: string, secret: string, now: number): Claims | undefined {
  try {
    const { sub, sid, era, exp } = jwt.verify(token, secret, { algorithms: [algorithm], clockTimestamp: seconds(now) }) as TokenPayload;
    // A token without an expiry or a session could never be revoked.
    if (!isId(sub) || !isId(sid) || exp === undefined) return undefined;
    // Tokens of releases before eras existed have none.
    return { userId: sub, sessionId: sid, era: era ?? firstEra, expiresAt: exp * 1000 };
  } catch {
    return undefined;
  }
}
