/**
 * Converts validation rules to JSON Schema: draft 2020-12, using only keywords that draft 7 has too, for AsyncAPI. The schemas are not
 * exact. The server counts lengths in UTF-16 units and JSON Schema in code points, and a schema describes trimmed text after trimming.
 */
import type { Rule, Rules } from "../../../core/contract/schema.ts";

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

type RuleOf<T extends Rule["type"]> = Extract<Rule, { type: T }>;
type SchemaByRuleType = { readonly [T in Rule["type"]]: (rule: RuleOf<T>) => JsonSchema };

/** The keywords of each type of rule. `ruleSchema` adds those that all types have. */
const schemaByRuleType: SchemaByRuleType = {
  string: ({ enum: values, min, max, length, pattern, messages }) =>
    defined({
      type: "string",
      enum: values,
      minLength: length ?? min,
      maxLength: length ?? max,
      pattern: pattern === undefined ? undefined : patternSource(pattern),
      description: messages === undefined ? undefined : Object.values(messages).join("; "),
    }),
  email: ({ max }) => defined({ type: "string", format: "email", maxLength: max }),
  number: ({ integer, min, max }) => defined({ type: integer === true ? "integer" : "number", minimum: min, maximum: max }),
  boolean: () => ({ type: "boolean" }),
  any: () => ({}),
  array: ({ items, min, max, unique }) =>
    defined({ type: "array", items: ruleSchema(items), minItems: min, maxItems: max, uniqueItems: unique }),
  object: ({ props }) => objectSchema(props),
  record: ({ key, value }) => ({ type: "object", propertyNames: ruleSchema(key), additionalProperties: ruleSchema(value) }),
};

export function ruleSchema(rule: Rule): JsonSchema {
  const schema = (schemaByRuleType[rule.type] as (rule: Rule) => JsonSchema)(rule);
  const described = { ...schema, ...defined({ default: rule.default, description: rule.description ?? schema["description"] }) };
  return rule.nullable === true ? orNull(described) : described;
}

/** Refuses unknown keys, as the gateway does. */
export function objectSchema(rules: Rules): JsonSchema {
  const required = Object.keys(rules).filter((key) => !mayBeLeftOut(rules[key]!));
  return {
    type: "object",
    properties: Object.fromEntries(Object.entries(rules).map(([key, rule]) => [key, ruleSchema(rule)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

export const mayBeLeftOut = ({ optional, default: fallback }: Rule): boolean => optional === true || fallback !== undefined;

function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values } = schema;
  if (type === undefined) return schema;
  return { ...schema, type: [type, "null"], ...(values === undefined ? {} : { enum: [...(values as unknown[]), null] }) };
}

/**
 * The source of an equivalent regular expression in JSON Schema's dialect: ECMA-262 with only the flag `u`.
 * @returns undefined if there is none
 */
export function patternSource({ source, flags }: RegExp): string | undefined {
  if (/[imy]/.test(flags)) return undefined;
  const text = flags.includes("s") ? dotsSpelledOut(source) : source;
  try {
    return new RegExp(text, "u").source;
  } catch {
    return undefined; // written for the flag `v`
  }
}

/** With the flag `s` a dot matches line ends too. Escapes and classes stay as they are. */
const dotsSpelledOut = (source: string): string =>
  source.replace(/\\.|\[(?:\\.|[^\]\\])*\]|\./gsu, (token) => (token === "." ? String.raw`[\s\S]` : token));

/** Leaves out keys whose value is undefined. */
const defined = (schema: JsonSchema): JsonSchema => Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined));
