/** Describes a route's responses in OpenAPI: its successes, and exactly the errors that it can return. */
import type { ErrorsThrown } from "../../../core/contract/contract.ts";
import { statusOf, type DomainErrorCode } from "../../../core/errors.ts";
import { media } from "../../media/contract.ts";
import type { RouteRow } from "../http/table.ts";
import type { RouteAnswer } from "./answers.ts";
import type { JsonSchema } from "./json-schema.ts";
import { takesBody } from "./requests.ts";
import { generalErrorTexts } from "./texts.ts";

export interface OpenApiResponse {
  readonly description: string;
  readonly headers?: { readonly [name: string]: JsonSchema };
  readonly content?: { readonly [type: string]: { readonly schema: JsonSchema } };
}
type OpenApiResponses = Record<string, OpenApiResponse>;

const errorCodes = Object.keys(statusOf) as DomainErrorCode[];

/** The fields of an error that lead to its lines in the log. */
export const requestIdSchemas: { readonly [name: string]: JsonSchema } = {
  requestId: { type: "string", description: "The request's id in the server's log; over HTTP also the header `X-Request-ID`." },
  traceId: { type: "string", pattern: "^[0-9a-f]{32}$", description: "The request's trace id; only if it is traced." },
};

/** The body of every error response. */
export const errorSchema: JsonSchema = {
  type: "object",
  description: "What went wrong.",
  properties: {
    message: { type: "string", description: "For people; may change." },
    code: { type: "string", enum: errorCodes, description: "For programs; stable." },
    details: {
      type: "array",
      description: "The invalid fields, each listed once.",
      items: {
        type: "object",
        properties: { field: { type: "string" }, message: { type: "string" } },
        required: ["field", "message"],
        additionalProperties: false,
      },
    },
    ...requestIdSchemas,
  },
  required: ["message", "code", "requestId"],
  additionalProperties: false,
};

export const responses = (row: RouteRow, answer: RouteAnswer): OpenApiResponses => ({
  ...(row.download === undefined ? successes(row, answer) : downloaded),
  ...failures(row),
});

function successes(row: RouteRow, { statuses, body }: RouteAnswer): OpenApiResponses {
  const headers = {
    ...(row.token === undefined ? {} : header("Set-Cookie", "`token` with the access token, or empty to delete the cookie.")),
    ...(row.nextPage === undefined ? {} : header("Link", "The next page, if there is one.")),
  };
  const response = {
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(body === undefined ? {} : { content: json(body) }),
  };
  return Object.fromEntries(statuses.map((status) => [status, { description: successText(status, statuses), ...response }]));
}

function successText(status: number, all: readonly number[]): string {
  if (status === 201) return "Created.";
  return all.includes(201) ? "It already existed." : "Done.";
}

const bytes = { "*/*": { schema: { type: "string", contentMediaType: "application/octet-stream" } } };
const downloaded: OpenApiResponses = {
  200: {
    description: "The bytes.",
    headers: {
      ...header("ETag", "Identifies these bytes, which never change."),
      ...header("Content-Disposition", "Whether to show the file inline, and its name."),
    },
    content: bytes,
  },
  206: { description: "The requested range.", headers: header("Content-Range", "The range that is returned."), content: bytes },
  304: { description: "Not modified: `If-None-Match` has the current ETag." },
  416: {
    description: "`VALIDATION`: The requested range starts after the end of the file.",
    headers: header("Content-Range", "The size of the file."),
    content: json({ $ref: "#/components/schemas/Error" }),
  },
};

const { UNSUPPORTED_TYPE } = media.admit.errors ?? {};
const notAPicture: ErrorsThrown = UNSUPPORTED_TYPE === undefined ? {} : { UNSUPPORTED_TYPE };

/** The errors that all routes have, those that the row's properties imply, and those that its actions throw. */
function failures(row: RouteRow): OpenApiResponses {
  const { action, upload } = row;
  const hasBody = takesBody(row);
  const general: { readonly [C in DomainErrorCode]?: boolean } = {
    VALIDATION: true,
    UNAUTHENTICATED: action.access === "user" && row.isSessionOptional === undefined,
    FORBIDDEN: row.method !== "GET",
    TOO_LARGE: hasBody,
    UNSUPPORTED_TYPE: hasBody,
    RATE_LIMITED: true,
    INTERNAL: true,
    UNAVAILABLE: true,
  };
  const thrown: readonly (ErrorsThrown | undefined)[] = [
    action.errors,
    upload?.authorize?.action.errors,
    upload === undefined || upload.purpose === "message" ? undefined : notAPicture,
  ];
  return Object.fromEntries(
    errorCodes.flatMap((code) => {
      const reasons = [...thrown.map((errors) => errors?.[code]), general[code] === true ? generalErrorTexts[code] : undefined];
      const distinctReasons = new Set(reasons.filter((reason) => reason !== undefined));
      const cannotHappen = distinctReasons.size === 0 || (general[code] !== true && row.errors?.includes(code) === false);
      return cannotHappen ? [] : [[statusOf[code], errorResponse(code, [...distinctReasons].join(" "))]];
    }),
  );
}

export const errorResponse = (code: DomainErrorCode, reason: string = generalErrorTexts[code]): OpenApiResponse => ({
  description: `\`${code}\`: ${reason}`,
  ...(code === "RATE_LIMITED" || code === "UNAVAILABLE" ? { headers: retryAfter } : {}),
  content: json({ $ref: "#/components/schemas/Error" }),
});

const retryAfter = { "Retry-After": { description: "How many seconds to wait.", schema: { type: "integer", minimum: 1 } } };

function header(name: string, description: string): { readonly [name: string]: JsonSchema } {
  return { [name]: { description, schema: { type: "string" } } };
}

function json(schema: JsonSchema) {
  return { "application/json": { schema } };
}
