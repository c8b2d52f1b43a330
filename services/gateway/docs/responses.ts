/** What a route answers, as OpenAPI says it: its successes, and every error that it can really have. */
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

/** What an error bears for whoever looks for its lines in the log. */
export const requestIdSchemas: { readonly [name: string]: JsonSchema } = {
  requestId: { type: "string", description: "The request's id in the server's log; over HTTP the header `X-Request-ID` too." },
  traceId: { type: "string", pattern: "^[0-9a-f]{32}$", description: "Only when the request is traced: its trace." },
};

/** The body of every answer that is not a success. */
export const errorSchema: JsonSchema = {
  type: "object",
  description: "What went wrong.",
  properties: {
    message: { type: "string", description: "For people; it may change." },
    code: { type: "string", enum: errorCodes, description: "For programs; it stays." },
    details: {
      type: "array",
      description: "The fields that are wrong, each once.",
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
    ...(row.token === undefined ? {} : header("Set-Cookie", "`token`: the access token, or none.")),
    ...(row.nextPage === undefined ? {} : header("Link", "The next page, where there is one.")),
  };
  const response = {
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(body === undefined ? {} : { content: json(body) }),
  };
  return Object.fromEntries(statuses.map((status) => [status, { description: successText(status, statuses), ...response }]));
}

function successText(status: number, all: readonly number[]): string {
  if (status === 201) return "Made.";
  return all.includes(201) ? "It was there already." : "Done.";
}

const bytes = { "*/*": { schema: { type: "string", contentMediaType: "application/octet-stream" } } };
const downloaded: OpenApiResponses = {
  200: {
    description: "The bytes.",
    headers: {
      ...header("ETag", "Of these bytes, which never change."),
      ...header("Content-Disposition", "Inline or not, and the file's name."),
    },
    content: bytes,
  },
  206: { description: "The part that `Range` asks for.", headers: header("Content-Range", "Which part it is."), content: bytes },
  304: { description: "As `If-None-Match` has it." },
  416: {
    description: "`VALIDATION`: The file is shorter than `Range` asks for.",
    headers: header("Content-Range", "How long the file is."),
    content: json({ $ref: "#/components/schemas/Error" }),
  },
};

const { UNSUPPORTED_TYPE } = media.admit.errors ?? {};
const notAPicture: ErrorsThrown = UNSUPPORTED_TYPE === undefined ? {} : { UNSUPPORTED_TYPE };

/** What all routes have, what follows from the row, and what its actions throw. */
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
      const known = new Set(reasons.filter((reason) => reason !== undefined));
      const isNone = known.size === 0 || (general[code] !== true && row.errors?.includes(code) === false);
      return isNone ? [] : [[statusOf[code], errorResponse(code, [...known].join(" "))]];
    }),
  );
}

/** An answer with an error. */
export const errorResponse = (code: DomainErrorCode, reason: string = generalErrorTexts[code]): OpenApiResponse => ({
  description: `\`${code}\`: ${reason}`,
  ...(code === "RATE_LIMITED" || code === "UNAVAILABLE" ? { headers: retryAfter } : {}),
  content: json({ $ref: "#/components/schemas/Error" }),
});

const retryAfter = { "Retry-After": { description: "Seconds.", schema: { type: "integer", minimum: 1 } } };

function header(name: string, description: string): { readonly [name: string]: JsonSchema } {
  return { [name]: { description, schema: { type: "string" } } };
}

function json(schema: JsonSchema) {
  return { "application/json": { schema } };
}
