/** Makes invalid calls of a documented route: in path, query, body and form, and in method, headers and credential. */
import type { OpenApiOperation } from "../../../services/gateway/docs/fixed-paths.ts";
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import type { Parameter } from "../../../services/gateway/docs/requests.ts";
import type { Callers, CallerRole } from "./callers.ts";
import { unlistedCalls, rawBodies } from "./unlisted-calls.ts";
import { credential } from "./credentials.ts";
import { invalidForms } from "./invalid-forms.ts";
import { keys } from "./hostile-values.ts";
import type { RawCall } from "./raw-http.ts";
import {
  pick,
  shuffled,
  invalidPayloads,
  invalidValues,
  type RandomSource,
  type PayloadFields,
  type InvalidPayload,
} from "./invalid-payloads.ts";

/** A route with valid parameters and a valid body. */
interface ValidCall {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly pathParams: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly jsonSchema?: JsonSchema;
  readonly formSchema?: JsonSchema;
  readonly body: PayloadFields;
}

export const fieldsOf = (schema: JsonSchema | undefined, callers: Callers, path: string): PayloadFields =>
  Object.fromEntries(
    Object.entries((schema?.["properties"] ?? {}) as Record<string, JsonSchema>).map(([name, one]) => [
      name,
      callers.validValue(name, one, path),
    ]),
  );

function validCallOf(name: string, operation: OpenApiOperation, callers: Callers): ValidCall {
  const [method, path] = name.split(" ") as [string, string];
  const { parameters = [] } = operation;
  const content = operation.requestBody?.["content"] as Record<string, { schema: JsonSchema }> | undefined;
  const jsonSchema = content?.["application/json"]?.schema;
  const formSchema = content?.["multipart/form-data"]?.schema;
  const texts = (where: Parameter["in"]) =>
    Object.fromEntries(
      parameters.filter((one) => one.in === where).map((one) => [one.name, String(callers.validValue(one.name, one.schema, path))]),
    );
  return {
    name,
    method,
    path,
    parameters,
    pathParams: texts("path"),
    query: texts("query"),
    ...(jsonSchema === undefined ? {} : { jsonSchema }),
    ...(formSchema === undefined ? {} : { formSchema }),
    body: fieldsOf(jsonSchema ?? formSchema, callers, path),
  };
}

/** @returns `count` calls of one route in one role: one valid, the others invalid */
export function routeCalls(
  name: string,
  operation: OpenApiOperation,
  callers: Callers,
  role: CallerRole,
  count: number,
  random: RandomSource,
): RawCall[] {
  const right = validCallOf(name, operation, callers);
  const takesBody = right.jsonSchema !== undefined || right.formSchema !== undefined;
  const plain = callOf(right, "nothing", {});
  const queries = shuffled(random, queryCalls(right));
  const bodies = right.jsonSchema === undefined ? [] : jsonCalls(right, count, random);
  const forms = right.formSchema === undefined ? [] : formCalls(right, right.formSchema, count, random);
  // A route that accepts a body accepts no query, so a few calls with a query are enough.
  const sources = [
    shuffled(random, pathCalls(right)),
    takesBody ? queries.slice(0, count / 10) : queries,
    bodies,
    forms,
    shuffled(random, unlistedCalls(plain, takesBody)).slice(0, count / 5),
  ];
  const calls = [plain, ...interleaved(sources, count)].slice(0, count);
  while (calls.length < count) calls.push(pick(random, queries));
  return calls.map((call) => ({ ...call, headers: { ...credential(callers, role, random), ...call.headers } }));
}

/** Takes one item from each source in turn, until `count` items are taken or all sources are empty. */
function interleaved<T>(sources: readonly (readonly T[])[], count: number): T[] {
  const result: T[] = [];
  for (let round = 0; result.length < count && sources.some((source) => round < source.length); round++) {
    result.push(...sources.flatMap((source) => source.slice(round, round + 1)));
  }
  return result;
}

interface CallChange {
  readonly pathParams?: Readonly<Record<string, string>>;
  /** As written after the question mark. */
  readonly query?: string;
  readonly payload?: { readonly json: unknown };
}

function callOf(right: ValidCall, what: string, { pathParams = {}, query, payload }: CallChange): RawCall {
  const inPath: Readonly<Record<string, string>> = { ...right.pathParams, ...pathParams };
  const path = right.path.replace(/\{(\w+)\}/g, (_, key: string) => asPathPart(inPath[key] ?? ""));
  const written = query ?? new URLSearchParams(right.query).toString();
  const json = payload === undefined ? (right.jsonSchema === undefined ? undefined : right.body) : payload.json;
  return {
    operation: right.name,
    what,
    method: right.method,
    target: written === "" ? path : `${path}?${written}`,
    headers: json === undefined ? {} : { "content-type": "application/json" },
    ...(json === undefined ? {} : { body: JSON.stringify(json), json }),
  };
}

/** Percent-encodes a value. Lone surrogates, which have no encoding, become the bytes that UTF-8 would give them. */
const asPathPart = (value: string): string =>
  value.isWellFormed() ? encodeURIComponent(value) : encodeURIComponent(value.toWellFormed()).replaceAll("%EF%BF%BD", "%ED%A0%80");

const textsOf = (wrong: readonly InvalidPayload[]): { what: string; value: string }[] =>
  wrong.flatMap(({ what, value }) => (typeof value === "string" && value.length < 12_000 ? [{ what, value }] : []));

function pathCalls(right: ValidCall): RawCall[] {
  const inPath = right.parameters.filter((one) => one.in === "path");
  return inPath.flatMap(({ name, schema }) =>
    textsOf(invalidValues(schema, right.pathParams[name])).map(({ what, value }) => {
      // With an empty part or a part of dots, the path is another one.
      const isElsewhere = value === "" || /^\.{1,2}$/.test(value);
      return {
        ...callOf(right, `${name}: ${what}`, { pathParams: { [name]: value } }),
        ...(isElsewhere ? { isOffRoute: true as const } : {}),
      };
    }),
  );
}

function queryCalls(right: ValidCall): RawCall[] {
  const inQuery = right.parameters.filter((one) => one.in === "query");
  const base = new URLSearchParams(right.query).toString();
  const and = (more: string) => (base === "" ? more : `${base}&${more}`);
  const each = inQuery.flatMap(({ name, schema }) => [
    ...textsOf(invalidValues(schema, right.query[name])).map(({ what, value }) => ({
      what: `${name}: ${what}`,
      query: `${name}=${asPathPart(value)}`,
    })),
    ...[
      `${name}=1&${name}=2`,
      `${name}[]=1`,
      `${name}[$ne]=`,
      `${name}[__proto__]=1`,
      `${name}.x=1`,
      name,
      `${name}=%zz`,
      `${name}=%ff`,
      `${name}=%00`,
      `${name}=+1`,
    ].map((query) => ({ what: `${name} malformed`, query: and(query) })),
  ]);
  const odd = keys.flatMap((key) =>
    ["1", "", "%00", "[]", "{}"].map((value) => ({
      what: `unknown ${JSON.stringify(key).slice(0, 40)}`,
      query: and(`${asPathPart(key)}=${value}`),
    })),
  );
  const raw = [
    "&",
    "=",
    "&&&&",
    "?",
    "%",
    "%E0%A4",
    "a=b;c=d",
    "__proto__[x]=1",
    "constructor[prototype][x]=1",
    "a".repeat(8000),
    "a=1&".repeat(1500),
    "a[".repeat(500),
  ].map((query) => ({ what: "a malformed query", query: and(query) }));
  return [...each, ...odd, ...raw].map(({ what, query }) => callOf(right, what, { query }));
}

function jsonCalls(right: ValidCall, count: number, random: RandomSource): RawCall[] {
  const payloads = invalidPayloads(right.jsonSchema!, right.body, count, random).map(({ what, value }) =>
    callOf(right, what, { payload: { json: value } }),
  );
  return interleaved([payloads, shuffled(random, rawBodies(callOf(right, "", {}), right.body))], count);
}

function formCalls(right: ValidCall, schema: JsonSchema, count: number, random: RandomSource): RawCall[] {
  return invalidForms(schema, right.body, count, random).map(({ what, body, type, isCutOff }) => ({
    operation: right.name,
    what: `form: ${what}`,
    method: right.method,
    target: callOf(right, "", {}).target,
    headers: { "content-type": type, ...(isCutOff ? { "content-length": String(body.length + 1000) } : {}) },
    body,
    ...(isCutOff ? { isOffRoute: true as const, isCutOff: true as const } : {}),
  }));
}
