/** Builds the OpenAPI 3.1 document of the HTTP API from the table of routes. */
import type { RouteRow } from "../http/table.ts";
import type { Answers, RouteAnswer } from "./answers.ts";
import { fixedPaths, type OpenApiOperation } from "./fixed-paths.ts";
import type { JsonSchema } from "./json-schema.ts";
import { operationInput } from "./requests.ts";
import { errorSchema, responses } from "./responses.ts";
import { generalRules, tagline, tagTitles, title } from "./texts.ts";

export interface OpenApi {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: OpenApiOperation } };
  readonly components: { readonly schemas: { readonly [name: string]: JsonSchema }; readonly securitySchemes: object };
  readonly [key: string]: unknown;
}

export function openApi(rows: readonly RouteRow[], answers: Answers, version: string): OpenApi {
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  const add = (method: string, path: string, operation: OpenApiOperation) => {
    (paths[path] ??= {})[method] = operation;
  };
  for (const row of rows) add(row.method.toLowerCase(), templated(row.path), operationOf(row, answerOf(row, answers)));
  for (const [path, operation] of Object.entries(fixedPaths)) add("get", path, operation);
  const tags = [...new Set(Object.values(paths).flatMap((methods) => Object.values(methods).flatMap(({ tags }) => tags)))];
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: { title, version, summary: tagline, description: generalRules.map(({ name, text }) => `**${name}.** ${text}`).join("\n\n") },
    servers: [{ url: "/" }],
    tags: tags.map((name) => ({ name, description: tagTitles[name]! })),
    paths,
    components: {
      schemas: { Error: errorSchema, ...answers.schemas },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        cookie: { type: "apiKey", in: "cookie", name: "token" },
      },
    },
  };
}

/** Converts `/chat/messages/:chatId` to `/chat/messages/{chatId}`. */
export const templated = (path: string): string => path.replace(/:(\w+)/g, "{$1}");

/** A row that the generated file lacks must not stop the server from starting; a test finds it. */
const answerOf = ({ method, path }: RouteRow, { routes }: Answers): RouteAnswer => routes[`${method} ${path}`] ?? { statuses: [200] };

function operationOf(row: RouteRow, answer: RouteAnswer): OpenApiOperation {
  return {
    operationId: `${row.method.toLowerCase()}${row.path.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    tags: [row.path.split("/")[1]!],
    summary: row.summary ?? row.action.summary,
    security: securityOf(row),
    ...operationInput(row),
    responses: responses(row, answer),
  };
}

function securityOf({ action, isSessionOptional }: RouteRow): readonly object[] {
  if (action.access === "public") return [];
  return [{ bearer: [] }, { cookie: [] }, ...(isSessionOptional === true ? [{}] : [])];
}
