/** Tests the gateway's input: strict params, flat queries, and messages in the form that chat expects. */
import { describe, expect, test } from "@jest/globals";
import { Invalid } from "../../../../core/errors.ts";
import { newId } from "../../../../core/ids.ts";
import { id } from "../../../../core/contract/rules.ts";
import { requireStored, messageToSend } from "../../../../services/gateway/shared/message-input.ts";
import { parseQuery } from "../../../../services/gateway/http/request/query.ts";
import { inputCheck } from "../../../../services/gateway/shared/input-rules.ts";

/** The fields that are complained of. */
const wrongIn = (check: () => void): string[] => {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(Invalid);
    return ((error as Invalid).data.details ?? []).map(({ field }) => field);
  }
  return [];
};

describe("strict params", () => {
  const rules = {
    name: { type: "string", trim: true, min: 1, max: 5 },
    about: { type: "string", optional: true, nullable: true },
    limit: { type: "number", integer: true, default: 50, convert: true },
    note: { type: "string", optional: true },
    place: { type: "object", optional: true, props: { city: { type: "string" } } },
    all: { type: "array", optional: true, items: { type: "object", props: { n: { type: "number" } } } },
    seen: { type: "record", optional: true, key: id, value: { type: "number" } },
  } as const;
  const check = inputCheck(rules);
  const wrong = (params: object) => wrongIn(() => check(params));

  test("are trimmed, converted and completed in place", () => {
    const params = { name: " Ada ", limit: "7" };
    check(params);
    expect(params).toEqual({ name: "Ada", limit: 7 });
    const few = { name: "Ada" };
    check(few);
    expect(few).toEqual({ name: "Ada", limit: 50 });
  });
  test("have no unknown keys, not even nested ones", () => {
    expect(wrong({ name: "Ada", evil: 1 })).toEqual(["evil"]);
    expect(wrong({ name: "Ada", place: { city: "Rome", evil: 1 } })).toEqual(["place.evil"]);
    expect(wrong({ name: "Ada", all: [{ n: 1 }, { n: 1, evil: 1 }] })).toEqual(["all[1].evil"]);
    expect(wrong(JSON.parse('{"name":"Ada","__proto__":{"x":1}}') as object)).toEqual(["__proto__"]);
    expect(wrong({ name: "Ada", constructor: 1 })).toEqual(["constructor"]);
  });
  test("accept null only where a rule allows it, even if there is a default", () => {
    const check = inputCheck({ since: { type: "record", key: { type: "string" }, value: { type: "number" }, default: {} } });
    const params = {};
    check(params);
    expect(params).toEqual({ since: {} });
    expect(() => check({ since: null })).toThrow(expect.objectContaining({ type: "VALIDATION" }));
    expect(wrong({ name: "Ada", about: null })).toEqual([]);
    expect(wrong({ name: "Ada", note: null })).toEqual(["note"]);
    expect(wrong({ name: null })).toEqual(["name"]);
  });
  test("accept no object in place of a string", () => expect(wrong({ name: { $ne: "" } })).toEqual(["name"]));
  test("validate a record's keys", () => {
    expect(wrong({ name: "Ada", seen: { [newId()]: 1 } })).toEqual([]);
    expect(wrong(JSON.parse('{"name":"Ada","seen":{"__proto__":1}}') as object)).toEqual(["seen.__proto__"]);
  });
  test("list every wrong field, up to a limit", () => {
    expect(wrong({ name: 1, note: 2, place: 3 })).toEqual(["name", "note", "place"]);
    expect(wrong({ name: "Ada", all: Array.from({ length: 500 }, () => 1) })).toHaveLength(20);
  });
});

describe("a query", () => {
  test("is a flat map", () => expect(parseQuery("a=1&b=x%20y+z&c")).toEqual({ a: "1", b: "x y z", c: "" }));
  test("refuses a repeated parameter", () => expect(wrongIn(() => parseQuery("a=1&a=2"))).toEqual(["a"]));
  test("refuses nested values", () => expect(parseQuery("a[$ne]=1")).toEqual({ "a[$ne]": "1" }));
  test("is refused when it is not valid percent-encoding", () => {
    expect(() => parseQuery("a=%zz")).toThrow(Invalid);
    expect(() => parseQuery("%ff=1")).toThrow(Invalid);
  });
  test("can't touch a prototype", () => expect(Object.keys(parseQuery("__proto__=x"))).toEqual(["__proto__"]));
});

describe("a message to send", () => {
  test("gets a clientId if it has none", () => {
    const draft = { text: "hi" };
    expect(messageToSend({ ...draft, clientId: "mine" })).toEqual({ text: "hi", clientId: "mine" });
    expect(messageToSend(draft).clientId).not.toBe(messageToSend(draft).clientId);
  });
  test("that was not stored becomes the error that chat returned", () => {
    const refused = { ok: false, error: { code: "FORBIDDEN", message: "Not a member" } } as const;
    expect(() => requireStored(refused)).toThrow(expect.objectContaining({ type: "FORBIDDEN", code: 403, message: "Not a member" }));
    expect(() => requireStored({ ok: false, error: { code: "ODD", message: "inner" } })).toThrow(
      expect.objectContaining({ type: "INTERNAL" }),
    );
    expect(() => requireStored(undefined)).toThrow(expect.objectContaining({ type: "UNAVAILABLE" }));
  });
});
