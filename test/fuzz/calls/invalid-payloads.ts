/**
 * Makes invalid payloads from a JSON schema and a valid payload: each field with each wrong value, missing and additional fields, payloads
 * of another type, and combinations of these.
 */
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import { hostileTexts, keys, wrongKinds } from "./hostile-values.ts";

export type RandomSource = () => number;
export type PayloadFields = Readonly<Record<string, unknown>>;

/** A payload, or a value of a field, that is probably invalid. */
export interface InvalidPayload {
  /** Says in a few words what is wrong with it. */
  readonly what: string;
  readonly value: unknown;
}

export const pick = <T>(random: RandomSource, all: readonly T[]): T => all[Math.floor(random() * all.length)]!;

/** @returns the same items in random order (Fisher-Yates) */
export function shuffled<T>(random: RandomSource, all: readonly T[]): T[] {
  const result = [...all];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

/** Share of the payloads that have several faults. */
const severalShare = 0.15;

/** @returns `count` invalid payloads in random order: most with one fault, each different, some with two or three */
export function invalidPayloads(schema: JsonSchema, right: PayloadFields, count: number, random: RandomSource): InvalidPayload[] {
  const single = shuffled(random, [...wholes(right), ...misses(right), ...additions(right), ...replacements(schema, right)]);
  return Array.from({ length: count }, () => (random() < severalShare ? undefined : single.pop()) ?? several(schema, right, random));
}

const wholes = (right: PayloadFields): InvalidPayload[] => [
  ...wrongKinds.filter(({ value }) => typeof value !== "string" || value.length < 100),
  { what: "in a list", value: [right] },
  { what: "in an object", value: { data: right } },
  { what: "as text", value: JSON.stringify(right) },
];

/** Payloads without one field, and an empty one. */
const misses = (right: PayloadFields): InvalidPayload[] => [
  { what: "nothing in it", value: {} },
  ...Object.keys(right).map((name) => ({
    what: `no ${name}`,
    value: Object.fromEntries(Object.entries(right).filter(([one]) => one !== name)),
  })),
];

const additions = (right: PayloadFields): InvalidPayload[] => [
  ...keys.map((key) => ({ what: `and ${JSON.stringify(key).slice(0, 40)}`, value: { ...right, [key]: { admin: true } } })),
  { what: "and 2,000 more", value: { ...right, ...Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`more${i}`, i])) } },
  ...Object.keys(right).flatMap((name) =>
    [name.toUpperCase(), `${name}[]`, `${name}.$ne`, `${name} `].map((key) => ({
      what: `and ${key}`,
      value: { ...right, [key]: right[name] },
    })),
  ),
];

/** Payloads with one wrong value, for each field and each wrong value. */
export function replacements(schema: JsonSchema, right: PayloadFields): InvalidPayload[] {
  const properties = (schema["properties"] ?? {}) as Record<string, JsonSchema>;
  return Object.entries(properties).flatMap(([name, property]) =>
    invalidValues(property, right[name]).map(({ what, value }) => ({ what: `${name}: ${what}`, value: { ...right, [name]: value } })),
  );
}

/** A payload with two or three faults. */
function several(schema: JsonSchema, right: PayloadFields, random: RandomSource): InvalidPayload {
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, JsonSchema>);
  const faults = Array.from({ length: 2 + Math.floor(random() * 2) }, (): [string, InvalidPayload] => {
    if (properties.length === 0 || random() < 0.3) return [pick(random, keys), pick(random, wrongKinds)];
    const [name, property] = pick(random, properties);
    return [name, pick(random, invalidValues(property, right[name]))];
  });
  return {
    what: faults.map(([name, { what }]) => `${JSON.stringify(name).slice(0, 20)}: ${what}`).join(", "),
    value: { ...right, ...Object.fromEntries(faults.map(([name, { value }]) => [name, value])) },
  };
}

/** Values that are probably invalid for this schema. Some may be valid: the server decides, and its answer is checked against the document. */
export function invalidValues(schema: JsonSchema, right: unknown): InvalidPayload[] {
  return [...wrongKinds, ...hostileTexts, ...nearValid(schema, right), ...inside(schema, right)];
}

const numberOf = (schema: JsonSchema, keyword: string): number[] => (typeof schema[keyword] === "number" ? [schema[keyword]] : []);
const named = (what: string, values: readonly unknown[]): InvalidPayload[] => values.map((value) => ({ what, value }));

const nearValid = (schema: JsonSchema, right: unknown): InvalidPayload[] => [...bounds(schema), ...variations(schema, right)];

/** Values just below, at and above each limit of the schema. */
function bounds(schema: JsonSchema): InvalidPayload[] {
  const lengths = [...numberOf(schema, "minLength"), ...numberOf(schema, "maxLength")].flatMap((bound) => [bound - 1, bound, bound + 1]);
  const limits = [...numberOf(schema, "minimum"), ...numberOf(schema, "maximum")];
  const counts = [...numberOf(schema, "minItems"), ...numberOf(schema, "maxItems")].flatMap((bound) => [bound - 1, bound + 1]);
  return [
    ...named(
      "a text at a bound",
      lengths
        .filter((length) => length >= 0)
        .flatMap((length) => ["x".repeat(length), "👍".repeat(length), `${" ".repeat(length)}x`, "ß".repeat(length)]),
    ),
    ...named(
      "a number at a bound",
      limits.flatMap((bound) => [bound - 1, bound, bound + 1, bound + 0.5, String(bound)]),
    ),
    ...named(
      "a list at a bound",
      counts.filter((count) => count >= 0).map((count) => Array.from({ length: count }, (_, i) => i.toString(16).padStart(24, "0"))),
    ),
  ];
}

/** Values similar to a valid one. */
function variations(schema: JsonSchema, right: unknown): InvalidPayload[] {
  const texts = typeof right === "string" ? [right] : [];
  const members = Array.isArray(right) ? right : [];
  return [
    ...named(
      "another spelling",
      texts.flatMap((text) => [
        text.toUpperCase(),
        `${text}\n`,
        ` ${text} `,
        `${text}\u0000`,
        `${text}\u200b`,
        text.slice(1),
        `${text}0`,
        [text],
        { 0: text },
        [text, text],
      ]),
    ),
    ...named(
      "not one of",
      ((schema["enum"] ?? []) as readonly unknown[]).flatMap((value) => [`${String(value)} `, String(value).toUpperCase(), [value]]),
    ),
    ...named(
      "a list of oddities",
      members.length === 0
        ? []
        : [
            [...members, ...members],
            [...members, null],
            [members],
            [...members, { $ne: "" }],
            [...members, "__proto__"],
            Object.fromEntries(members.entries()),
          ],
    ),
  ];
}

/** Lists and objects with invalid contents. */
function inside(schema: JsonSchema, right: unknown): InvalidPayload[] {
  const items = schema["items"] as JsonSchema | undefined;
  const values = schema["additionalProperties"] as JsonSchema | false | undefined;
  const [key = "0".repeat(24)] = typeof right === "object" && right !== null ? Object.keys(right) : [];
  return [
    ...(items === undefined ? [] : wrongKinds.map(({ what, value }) => ({ what: `in it ${what}`, value: [value, value] }))),
    ...(values === undefined || values === false
      ? []
      : [
          ...[...wrongKinds, ...nearValid(values, 1)].map(({ what, value }) => ({ what: `in it ${what}`, value: { [key]: value } })),
          ...keys.map((odd) => ({ what: `under ${JSON.stringify(odd).slice(0, 40)}`, value: { [odd]: 1 } })),
        ]),
  ];
}
