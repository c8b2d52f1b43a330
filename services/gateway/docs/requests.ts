/** Describes a route's input in OpenAPI: path and query parameters, JSON bodies and file uploads. */
import type { Rule, Rules } from "../../../core/contract/schema.ts";
import type { Upload } from "../http/request/upload.ts";
import { publicRules, type RouteRow } from "../http/table.ts";
import { mayBeLeftOut, objectSchema, ruleSchema, type JsonSchema } from "./json-schema.ts";

/** The part of an OpenAPI parameter that Parley uses. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

export interface OperationInput {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: JsonSchema;
}

export const takesBody = ({ method }: RouteRow): boolean => method !== "GET" && method !== "DELETE";

export function operationInput(row: RouteRow): OperationInput {
  const all: readonly [string, Rule][] = Object.entries(publicRules(row));
  const isInPath = ([name]: readonly [string, Rule]) => row.path.split("/").includes(`:${name}`);
  const otherParams = all.filter((param) => !isInPath(param));
  const parameters = [
    ...all.filter(isInPath).map(([name, rule]) => parameter("path", name, rule)),
    ...(takesBody(row) ? [] : otherParams.map(([name, rule]) => parameter("query", name, rule))),
  ];
  return {
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(takesBody(row) && otherParams.length > 0 ? { requestBody: bodyOf(row, Object.fromEntries(otherParams)) } : {}),
  };
}

function parameter(location: Parameter["in"], name: string, rule: Rule): Parameter {
  const { description, ...schema } = ruleSchema(rule);
  return {
    name,
    in: location,
    required: location === "path" || !mayBeLeftOut(rule),
    ...(typeof description === "string" ? { description } : {}),
    schema,
  };
}

function bodyOf({ upload, maxBytes }: RouteRow, rules: Rules): JsonSchema {
  if (upload !== undefined) return uploadBody(upload, rules);
  const schema = objectSchema(rules);
  return {
    ...(maxBytes === undefined ? {} : { description: `At most ${megabytesText(maxBytes)}.` }),
    required: schema["required"] !== undefined,
    content: { "application/json": { schema } },
  };
}

/** A form, and also JSON unless the file is required. */
function uploadBody(upload: Upload, rules: Rules): JsonSchema {
  const { fields, maxBytes, isRequired, dataUri } = upload;
  const [field, ...otherNames] = fields;
  const { [dataUri ?? ""]: rule, ...texts } = rules;
  const form = objectSchema(texts);
  const alternatives = otherNames.map((name) => `\`${name}\``).join(" or ");
  const file = {
    type: "string",
    contentMediaType: "application/octet-stream",
    description: `The file, at most ${megabytesText(maxBytes)}.${alternatives === "" ? "" : ` The field may also be named ${alternatives}.`}`,
  };
  const required = [...((form["required"] as string[] | undefined) ?? []), ...(isRequired === true ? [field] : [])];
  return {
    required: true,
    content: {
      "multipart/form-data": {
        schema: {
          ...form,
          properties: { ...(form["properties"] as object), [field]: file },
          ...(required.length === 0 ? {} : { required }),
        },
      },
      ...(isRequired === true ? {} : { "application/json": { schema: jsonWithDataUri(objectSchema(texts), dataUri, rule, maxBytes) } }),
    },
  };
}

function jsonWithDataUri(schema: JsonSchema, dataUri: string | undefined, rule: Rule | undefined, maxBytes: number): JsonSchema {
  if (dataUri === undefined || rule === undefined) return schema;
  const { description, ...textSchema } = ruleSchema(rule);
  const property = {
    description: `The file, at most ${megabytesText(maxBytes)}, as a data URI${typeof description === "string" ? `; ${description}` : ""}`,
    anyOf: [{ type: "string", pattern: "^data:" }, textSchema],
  };
  return { ...schema, properties: { ...(schema["properties"] as object), [dataUri]: property } };
}

const megabytesText = (bytes: number): string => `${bytes / 1024 / 1024} MB`;
