/** Documents the routes without an action: those for operators, and the documents themselves. */
import type { JsonSchema } from "./json-schema.ts";
import type { Parameter } from "./requests.ts";
import { errorResponse, type OpenApiResponse } from "./responses.ts";

/** The part of an OpenAPI operation that Parley uses. */
export interface OpenApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly security: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: JsonSchema;
  readonly responses: { readonly [status: string]: OpenApiResponse };
}

const successResponse = (description: string, type: string, schema: JsonSchema): OpenApiResponse => ({
  description,
  content: { [type]: { schema } },
});

const oneOf = (...values: readonly string[]): JsonSchema => ({ type: "string", enum: values });
const readiness = (description: string, status: string): OpenApiResponse =>
  successResponse(description, "application/json", {
    type: "object",
    properties: {
      status: oneOf(status),
      parts: { type: "object", additionalProperties: { type: "string" }, description: "By part: `ok`, or what is wrong with it." },
    },
    required: ["status", "parts"],
    additionalProperties: false,
  });

const internal = errorResponse("INTERNAL");
const operatorDefaults = { tags: ["operators"], security: [] };
const documentDefaults = { tags: ["documents"], security: [] };
const documentResponses = (success: OpenApiResponse): OpenApiOperation["responses"] => ({
  200: { ...success, headers: { ETag: { description: "Changes with the server's release.", schema: { type: "string" } } } },
  304: { description: "Not modified: `If-None-Match` has the current ETag." },
  429: errorResponse("RATE_LIMITED"),
  500: internal,
});

/** By path. All are GET and need no session. */
export const fixedPaths: { readonly [path: string]: OpenApiOperation } = {
  "/health": {
    ...operatorDefaults,
    operationId: "getHealth",
    summary: "Check whether the process is up (liveness)",
    responses: {
      200: successResponse("It is up.", "application/json", {
        type: "object",
        properties: { status: oneOf("up") },
        required: ["status"],
        additionalProperties: false,
      }),
      500: internal,
    },
  },
  "/ready": {
    ...operatorDefaults,
    operationId: "getReady",
    summary: "Check whether this node can serve requests (readiness)",
    responses: {
      200: readiness("It can serve.", "ready"),
      500: internal,
      503: readiness("It is starting or stopping, or a part it needs is missing.", "not ready"),
    },
  },
  "/metrics": {
    ...operatorDefaults,
    operationId: "getMetrics",
    summary:
      "Get metrics as Prometheus text; embedded mode only, and only from the same machine. Mesh nodes serve them on their admin port",
    responses: {
      200: successResponse("The metrics.", "text/plain", { type: "string" }),
      404: errorResponse("NOT_FOUND", "Not available from here."),
      500: internal,
    },
  },
  "/openapi.json": {
    ...documentDefaults,
    operationId: "getOpenapiJson",
    summary: "Get this document, the HTTP API as OpenAPI 3.1",
    responses: documentResponses(successResponse("The document.", "application/json", { type: "object", additionalProperties: true })),
  },
  "/asyncapi.json": {
    ...documentDefaults,
    operationId: "getAsyncapiJson",
    summary: "Get the socket API as AsyncAPI 3.0",
    responses: documentResponses(successResponse("The document.", "application/json", { type: "object", additionalProperties: true })),
  },
  "/docs": {
    ...documentDefaults,
    operationId: "getDocs",
    summary: "Get both documents as a web page",
    responses: documentResponses(successResponse("The page.", "text/html", { type: "string" })),
  },
};
