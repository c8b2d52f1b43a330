/** Tests that a rule's JSON Schema accepts and refuses the same values as the validator. */
import { describe, expect, test } from "@jest/globals";
import { Ajv2020 } from "ajv/dist/2020.js";
import { emailAddress, id, pageLimit, visibleName } from "../../../../core/contract/rules.ts";
import { emoji, messageText } from "../../../../services/chat/rules.ts";
import type { Rule, Rules } from "../../../../core/contract/schema.ts";
import { objectSchema, patternSource, ruleSchema } from "../../../../services/gateway/docs/json-schema.ts";
import { inputCheck } from "../../../../services/gateway/shared/input-rules.ts";

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false });
const bySchema = (rules: Rules, value: unknown): boolean => ajv.compile(objectSchema(rules))(value);
const byServer = (rules: Rules, value: object): boolean => {
  try {
    inputCheck(rules)(structuredClone(value));
    return true;
  } catch {
    return false;
  }
};

describe("a rule as JSON Schema", () => {
  test.each<[string, Rule, object]>([
    ["a text with bounds", { type: "string", min: 1, max: 9 }, { type: "string", minLength: 1, maxLength: 9 }],
    ["a text of one length", { type: "string", length: 4 }, { type: "string", minLength: 4, maxLength: 4 }],
    ["a pattern", { type: "string", pattern: /^a+$/ }, { type: "string", pattern: "^a+$" }],
    ["one of some", { type: "string", enum: ["a", "b"] }, { type: "string", enum: ["a", "b"] }],
    ["one of some, or null", { type: "string", enum: ["a"], nullable: true }, { type: ["string", "null"], enum: ["a", null] }],
    ["a whole number", { type: "number", integer: true, min: 0, max: 5 }, { type: "integer", minimum: 0, maximum: 5 }],
    ["a number or null", { type: "number", nullable: true }, { type: ["number", "null"] }],
    [
      "a default, and what is said of it",
      pageLimit,
      { type: "integer", minimum: 1, maximum: 200, default: 50, description: "Maximum number of results" },
    ],
    ["true or false", { type: "boolean", optional: true }, { type: "boolean" }],
    ["an address", { type: "email", max: 9 }, { type: "string", format: "email", maxLength: 9 }],
    ["anything", { type: "any" }, {}],
    [
      "a list",
      { type: "array", items: { type: "boolean" }, min: 1, max: 2, unique: true },
      { type: "array", items: { type: "boolean" }, minItems: 1, maxItems: 2, uniqueItems: true },
    ],
    [
      "a map",
      { type: "record", key: { type: "string", max: 3 }, value: { type: "number" }, default: {} },
      { type: "object", propertyNames: { type: "string", maxLength: 3 }, additionalProperties: { type: "number" }, default: {} },
    ],
    [
      "an object",
      { type: "object", props: { a: { type: "boolean" }, b: { type: "boolean", optional: true }, c: { type: "boolean", default: true } } },
      {
        type: "object",
        properties: { a: { type: "boolean" }, b: { type: "boolean" }, c: { type: "boolean", default: true } },
        required: ["a"],
        additionalProperties: false,
      },
    ],
    ["what the rule says when it refuses", id, { type: "string", pattern: "^[0-9a-f]{24}$", description: "must be a 24-digit hex id" }],
  ])("%s", (_, rule, schema) => {
    expect(ruleSchema(rule)).toEqual(schema);
    expect(() => ajv.compile(ruleSchema(rule))).not.toThrow();
  });

  const rules = {
    name: visibleName,
    to: emailAddress,
    text: messageText,
    note: { type: "string", nullable: true, optional: true },
  } as const;
  const fair = { name: "Ada", to: "ada@example.org", text: "Hello" };
  test.each<[string, object]>([
    ["all that is needed", fair],
    ["null where it may be", { ...fair, note: null }],
    ["null where it may not", { ...fair, text: null }],
    ["a field too few", { name: "Ada", to: "ada@example.org" }],
    ["a field too many", { ...fair, surprise: 1 }],
    ["another type", { ...fair, text: 7 }],
    ["a blank text", { ...fair, text: " \n " }],
    ["an invisible name", { ...fair, name: "\u202e" }],
    ["a name outside of the basic plane", { ...fair, name: "𝒜da" }],
    ["no address", { ...fair, to: "ada" }],
    ["a list", []],
  ])("agrees with the server on %s", (_, value) => {
    expect(bySchema(rules, value)).toBe(byServer(rules, value));
  });

  test("a dot that matches line ends is spelled out, but not in classes or escapes", () => {
    expect(patternSource(/^(?=.*\p{Ll})[.\]]\..$/su)).toBe(String.raw`^(?=[\s\S]*\p{Ll})[.\]]\.[\s\S]$`);
    expect(patternSource(/^a.$/u)).toBe("^a.$");
  });

  test("a pattern that JSON Schema cannot express is described in words", () => {
    expect(patternSource(/^a$/i)).toBeUndefined();
    expect(ruleSchema(emoji)).toEqual({ type: "string", maxLength: 64, description: "must be one emoji" });
  });
});
