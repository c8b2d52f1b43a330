import { describe, expect, test } from "@jest/globals";
import jwt from "jsonwebtoken";
import { signToken, verifyToken } from "../../../core/security/access-tokens.ts";

const secret = "a secret that is long enough: 32+";
const other = "another secret that is long enough";
const userId = "0".repeat(24);
const sessionId = "1".repeat(24);
const now = 1_700_000_000_000;
const expiresAt = now + 60_000;
const era = "an era";
const claims = { userId, sessionId, era, expiresAt };
const payload = { sub: userId, sid: sessionId, era, iat: now / 1000, exp: expiresAt / 1000 };

describe("an access token", () => {
  test("says who its user is and when it expires", () => {
    expect(verifyToken(signToken(claims, [secret], now), [secret], now)).toEqual(claims);
  });

  test("without an era counts as the first era's, as those of older releases do", () => {
    const { sub, sid, iat, exp } = payload;
    expect(verifyToken(jwt.sign({ sub, sid, iat, exp }, secret), [secret], now)).toEqual({ ...claims, era: "first" });
  });

  test("carries sub, sid, era, iat and exp, signed HS256", () => {
    const token = jwt.decode(signToken(claims, [secret], now), { complete: true });
    expect(token?.header.alg).toBe("HS256");
    expect(token?.payload).toEqual(payload);
  });

  test("is signed with the first secret and accepted with any", () => {
    const token = signToken(claims, [secret, other], now);
    expect(verifyToken(token, [secret], now)).toEqual(claims);
    expect(verifyToken(token, [other, secret], now)).toEqual(claims);
    expect(verifyToken(token, [other], now)).toBeUndefined();
  });

  test("is refused from the second in which it expires", () => {
    const token = signToken(claims, [secret], now);
    expect(verifyToken(token, [secret], expiresAt - 1)).toEqual(claims);
    expect(verifyToken(token, [secret], expiresAt)).toBeUndefined();
  });

  test("is refused when another algorithm, or none, signed it", () => {
    expect(verifyToken(jwt.sign(payload, secret, { algorithm: "HS512" }), [secret], now)).toBeUndefined();
    expect(verifyToken(jwt.sign(payload, "", { algorithm: "none" }), [secret], now)).toBeUndefined();
  });

  test("is refused without a session, an expiry or a valid id", () => {
    for (const wrong of [{ sid: undefined }, { exp: undefined }, { sub: "me" }, { sid: { $ne: 1 } }]) {
      const token = jwt.sign(JSON.parse(JSON.stringify({ ...payload, ...wrong })) as object, secret);
      expect(verifyToken(token, [secret], now)).toBeUndefined();
    }
  });

  test("is refused if it is not a token", () => {
    for (const junk of ["", "x", "a.b.c", "null", `${signToken(claims, [secret], now)}x`])
      expect(verifyToken(junk, [secret], now)).toBeUndefined();
  });
});
