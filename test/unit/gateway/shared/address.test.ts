/** Tests which address a request is counted under. */
import { describe, expect, test } from "@jest/globals";
import { StartError } from "../../../../core/errors.ts";
import { addressKey } from "../../../../core/security/address-key.ts";
import { addressResolver, isLocalPeer } from "../../../../services/gateway/shared/address.ts";

const from = (remoteAddress: string, forwarded?: string) => ({ headers: { "x-forwarded-for": forwarded }, socket: { remoteAddress } });

describe("the client's address", () => {
  test("is the peer's, whatever it claims, while no proxy is trusted", () => {
    expect(addressResolver(0)(from("198.51.100.7", "203.0.113.9"))).toBe("198.51.100.7");
  });
  test("is taken from as many hops away as proxies are trusted", () => {
    expect(addressResolver(1)(from("10.0.0.1", "6.6.6.6, 203.0.113.9"))).toBe("203.0.113.9");
    expect(addressResolver(2)(from("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2"))).toBe("203.0.113.9");
  });
  test("is the farthest known one when there are fewer hops than trusted", () => {
    expect(addressResolver(3)(from("10.0.0.1", "203.0.113.9"))).toBe("203.0.113.9");
    expect(addressResolver(3)(from("10.0.0.1"))).toBe("10.0.0.1");
  });
  test("is the nearest one that no trusted range holds", () => {
    const addressOf = addressResolver(["10.0.0.0/8", "2001:db8::/32"]);
    expect(addressOf(from("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.9.9.9"))).toBe("203.0.113.9");
    expect(addressOf(from("2001:db8::1", "203.0.113.9"))).toBe("203.0.113.9");
    expect(addressOf(from("198.51.100.7", "203.0.113.9"))).toBe("198.51.100.7");
    expect(addressOf(from("10.0.0.1", "10.0.0.3, 10.0.0.2"))).toBe("10.0.0.3");
  });
  test("never comes from beyond a part that is not an address", () => {
    expect(addressResolver(2)(from("10.0.0.1", "203.0.113.9, <junk>, 10.0.0.2"))).toBe("10.0.0.2");
    expect(addressResolver(["10.0.0.0/8"])(from("10.0.0.1", "203.0.113.9, junk"))).toBe("10.0.0.1");
  });
  test("is the IPv4 one of a dual-stack socket's client", () => {
    expect(addressResolver(0)(from("::ffff:198.51.100.7"))).toBe("198.51.100.7");
    expect(addressResolver(["10.0.0.0/8"])(from("::ffff:10.0.0.1", "203.0.113.9"))).toBe("203.0.113.9");
  });
  test("an invalid trusted range stops the start", () => {
    for (const bad of ["proxy", "10.0.0.0/33", "10.0.0.0/", "::1/129", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/8/8", "loopback"])
      expect(() => addressResolver([bad])).toThrow(StartError);
  });
});

describe("what limits count an address under", () => {
  test("is an IPv4 address itself", () => expect(addressKey("198.51.100.7")).toBe("198.51.100.7"));
  test("is an IPv6 address's /64, however it is written", () => {
    const key = "2001:db8:0:1::/64";
    expect(addressKey("2001:db8:0:1:aaaa:bbbb:cccc:dddd")).toBe(key);
    expect(addressKey("2001:0db8::1:0:0:0:1")).toBe(key);
    expect(addressKey("2001:db8:0:1::")).toBe(key);
    expect(addressKey("2001:db8:0:2::1")).not.toBe(key);
    expect(addressKey("::1")).toBe("0:0:0:0::/64");
    expect(addressKey("2001:db8::1:c633:6407:198.51.100.7")).toBe(key);
  });
});

test("a peer on this machine that speaks for another is not local", () => {
  expect(isLocalPeer(from("127.0.0.1"))).toBe(true);
  expect(isLocalPeer(from("::ffff:127.0.0.1"))).toBe(true);
  expect(isLocalPeer(from("::1"))).toBe(true);
  expect(isLocalPeer(from("127.0.0.1", "203.0.113.9"))).toBe(false);
  expect(isLocalPeer(from("198.51.100.7"))).toBe(false);
});
