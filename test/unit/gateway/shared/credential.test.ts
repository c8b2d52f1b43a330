/** Tests where the gateway finds a credential, its cookie, and which origins may use it. */
import { describe, expect, test } from "@jest/globals";
import { tokenCookie, tokenOf } from "../../../../services/gateway/shared/credential.ts";
import { origins } from "../../../../services/gateway/shared/origins.ts";

describe("the token of a request", () => {
  const token = (headers: { authorization?: string; cookie?: string }) => tokenOf({ headers });
  test("comes from the cookie, among others", () => {
    expect(token({ cookie: "token=a.b.c" })).toBe("a.b.c");
    expect(token({ cookie: "theme=dark; token=a.b.c; x=y" })).toBe("a.b.c");
  });
  test("never comes from a cookie whose name only ends or begins alike", () => {
    expect(token({ cookie: "xtoken=a; tokens=b; x=token=c" })).toBeUndefined();
    expect(token({ cookie: ";;; ;" })).toBeUndefined();
    expect(token({ cookie: "__proto__=a; Token=b; token" })).toBeUndefined();
  });
  test("comes from the first cookie of that name, without the spaces around it", () => {
    expect(token({ cookie: "  token = a.b.c ; token=x" })).toBe("a.b.c");
    expect(token({ cookie: "token=; token=x" })).toBe("");
  });
  test("of a bearer header takes precedence over the cookie", () => {
    expect(token({ authorization: "Bearer x.y.z", cookie: "token=a.b.c" })).toBe("x.y.z");
    expect(token({ authorization: "bearer x.y.z" })).toBe("x.y.z");
    expect(token({ authorization: "Basic eDp5", cookie: "token=a.b.c" })).toBe("a.b.c");
  });
  test("is missing without either", () => expect(token({})).toBeUndefined());
});

describe("the cookie", () => {
  test("is out of reach of scripts and other sites for its 24 hours", () => {
    expect(tokenCookie("a.b.c", false)).toBe("token=a.b.c; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax");
  });
  test("travels over TLS only where the public URL is https", () =>
    expect(tokenCookie("a", true)).toBe("token=a; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Lax"));
  test("is deleted on log-out", () => expect(tokenCookie(null, false)).toMatch(/^token=; Max-Age=0; Path=\/;/));
});

describe("a page's origin", () => {
  const from = (origin?: string, host = "chat.example.org") => ({ headers: { origin, host } });
  const own = origins({ PUBLIC_URL: undefined, CORS_ORIGINS: ["https://app.example.org"] });
  const named = origins({ PUBLIC_URL: "https://chat.example.org", CORS_ORIGINS: [] });

  test("may be absent", () => expect(own.isAllowed(from())).toBe(true));
  test("may be the request's own host while no public URL is set", () => {
    expect(own.isAllowed(from("https://chat.example.org"))).toBe(true);
    expect(own.isAllowed(from("http://localhost:3000", "localhost:3000"))).toBe(true);
    expect(own.isAllowed(from("http://localhost:3001", "localhost:3000"))).toBe(false);
  });
  test("must be the public URL's if one is set, whatever the Host header says", () => {
    expect(named.isAllowed(from("https://chat.example.org"))).toBe(true);
    expect(named.isAllowed(from("http://chat.example.org"))).toBe(false);
    expect(named.isAllowed(from("https://evil.example", "evil.example"))).toBe(false);
  });
  test("is compared as a whole: an origin that merely contains an allowed one is foreign", () => {
    for (const foreign of ["https://app.example.org.evil.example", "https://evil.example?https://app.example.org", "null", ""])
      expect(own.isAllowed(from(foreign))).toBe(false);
  });
  test("is echoed only when it is allowed, and answers always vary by it", () => {
    expect(own.headers(from("https://app.example.org"))).toMatchObject({
      Vary: "Origin",
      "Access-Control-Allow-Origin": "https://app.example.org",
      "Access-Control-Allow-Credentials": "true",
    });
    expect(own.headers(from("https://evil.example"))).toEqual({ Vary: "Origin" });
    expect(own.headers(from())).toEqual({ Vary: "Origin" });
  });
});
