/** Renders schemas for people: a list of fields, each with its type, bounds and description. */
import { html, prose, type Html } from "./html.ts";
import type { JsonSchema } from "../json-schema.ts";
import type { Parameter } from "../requests.ts";

export const schemaId = (name: string): string => `schema-${name}`;

export const parameterList = (parameters: readonly Parameter[]): Html => html`
  <dl class="fields">
    ${parameters.map(({ name, in: location, required, description, schema }) => field(name, { ...schema, description }, required, location))}
  </dl>
`;

/** Renders a schema with its nested objects. */
export function schemaView(schema: JsonSchema): Html {
  const { description } = schema;
  const introduction = typeof description === "string" ? html`<p>${prose(description)}</p>` : undefined;
  if (schema["properties"] !== undefined) return html`${introduction}${fieldsOf(schema)}`;
  return html`${introduction}
    <p class="whole">${typeOf(schema)} ${bounds(schema)}</p>
    ${nestedFields(schema)}`;
}

function fieldsOf(schema: JsonSchema): Html {
  const required = new Set(schema["required"] as readonly string[] | undefined);
  const properties = Object.entries(schema["properties"] as Record<string, JsonSchema>);
  if (properties.length === 0) return html`<p class="whole">an empty object</p>`;
  return html`<dl class="fields">${properties.map(([name, property]) => field(name, property, required.has(name)))}</dl>`;
}

function field(name: string, schema: JsonSchema, isRequired: boolean, location?: string): Html {
  const { description } = schema;
  return html`
    <div>
      <dt>
        <code>${name}</code> ${typeOf(schema)} ${location === undefined ? undefined : html`<span class="mark">${location}</span>`}
        ${isRequired ? undefined : html`<span class="mark">optional</span>`}
      </dt>
      <dd>${typeof description === "string" ? prose(description) : undefined} ${bounds(schema)} ${nestedFields(schema)}</dd>
    </div>
  `;
}

/** The fields of an unnamed object, also of one in a list or a map. */
function nestedFields(schema: JsonSchema): Html | undefined {
  const { properties, items, additionalProperties, anyOf } = schema;
  if (properties !== undefined) return fieldsOf(schema);
  if (isSchema(items)) return nestedFields(items);
  if (isSchema(additionalProperties)) return nestedFields(additionalProperties);
  if (Array.isArray(anyOf)) return html`${(anyOf as JsonSchema[]).map(nestedFields)}`;
  return undefined;
}

/** A schema's type as text; named schemas are links. */
function typeOf(schema: JsonSchema): Html {
  return html`<span class="kind">${typeText(schema)}</span>`;
}

function typeText(schema: JsonSchema): Html {
  const { $ref, type, enum: values, const: value, items, additionalProperties, anyOf } = schema;
  if (typeof $ref === "string") return linkTo($ref.slice($ref.lastIndexOf("/") + 1));
  if (Array.isArray(anyOf)) return joined((anyOf as JsonSchema[]).map(typeText));
  if (Array.isArray(values)) return joined(values.map(literal));
  if (value !== undefined) return literal(value);
  if (isSchema(items)) return html`list of ${typeText(items)}`;
  if (isSchema(additionalProperties)) return html`map of ${typeText(additionalProperties)}`;
  if (Array.isArray(type)) return joined((type as string[]).map((each) => typeText({ ...schema, type: each })));
  if (schema["format"] === "date-time" && type === "string") return html`time`;
  if (schema["contentMediaType"] !== undefined) return html`bytes`;
  return html`${typeNames[type as string] ?? "anything"}`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: "string",
  integer: "number",
  number: "number",
  boolean: "boolean",
  object: "object",
  array: "list",
  null: "null",
};
const linkTo = (name: string): Html => html`<a href="#${schemaId(name)}">${name}</a>`;
const literal = (value: unknown): Html => html`<code>${JSON.stringify(value)}</code>`;
const joined = (parts: readonly Html[]): Html => html`${parts.map((part, i) => (i === 0 ? part : html` or ${part}`))}`;

/** Length, range, pattern and default. */
function bounds(schema: JsonSchema): Html | undefined {
  const { minLength, maxLength, minimum, maximum, minItems, maxItems, pattern, default: fallback } = schema;
  // The description of a rule explains its pattern.
  const hasDescription = schema["description"] !== undefined;
  const parts = [
    range(minLength, maxLength, "characters"),
    range(minimum, maximum, ""),
    range(minItems, maxItems, "items"),
    typeof pattern === "string" && !hasDescription ? html`pattern <code>${pattern}</code>` : undefined,
    fallback === undefined ? undefined : html`default ${literal(fallback)}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0
    ? undefined
    : html`<span class="bounds">${hasDescription ? " · " : undefined}${parts.map((part, i) => (i === 0 ? part : html`, ${part}`))}</span>`;
}

function range(min: unknown, max: unknown, unit: string): Html | undefined {
  const [from, to] = [min, max].map((bound) => (typeof bound === "number" ? bound.toLocaleString("en") : undefined));
  if (from === undefined && to === undefined) return undefined;
  if (max === Number.MAX_SAFE_INTEGER || to === undefined) return html`${from} ${unit} or more`;
  if (from === undefined) return html`at most ${to} ${unit}`;
  return from === to ? html`${from} ${unit}` : html`${from} to ${to} ${unit}`;
}

const isSchema = (value: unknown): value is JsonSchema => typeof value === "object" && value !== null && !Array.isArray(value);
