/** The routes that are no actions: what operators ask, and the documents themselves. */
import type { JsonSchema } from "./json-schema.ts";
import type { Parameter } from "./requests.ts";
import { errorResponse, type OpenApiResponse } from "./responses.ts";

/** An operation of OpenAPI, as far as we use it. */
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
      parts: { type: "object", additionalProperties: { type: "string" }, description: "Each part: `ok`, or what is wrong with it." },
    },
    required: ["status", "parts"],
    additionalProperties: false,
  });

const internal = errorResponse("INTERNAL");
const operatorDefaults = { tags: ["operators"], security: [] };
const documentDefaults = { tags: ["documents"], security: [] };
const documentResponses = (success: OpenApiResponse): OpenApiOperation["responses"] => ({
  200: { ...success, headers: { ETag: { description: "The same until the server is another release.", schema: { type: "string" } } } },
  304: { description: "As `If-None-Match` has it." },
  429: errorResponse("RATE_LIMITED"),
  500: internal,
});

/** By path; all of them are GET, and need no session. */
export const fixedPaths: { readonly [path: string]: OpenApiOperation } = {
  "/health": {
    ...operatorDefaults,
    operationId: "getHealth",
    summary: "Whether the process is up; for restarts",
    responses: {
      200: successResponse("It is.", "application/json", {
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
    summary: "Whether this node can serve; for balancers",
    responses: {
      200: readiness("It can.", "ready"),
      500: internal,
      503: readiness("It starts, drains, or lacks a part it needs.", "not ready"),
    },
  },
  "/metrics": {
    ...operatorDefaults,
    operationId: "getMetrics",
    summary: "Prometheus text. Only embedded, and to the same machine; nodes of a mesh answer on their admin port",
    responses: {
      200: successResponse("The metrics.", "text/plain", { type: "string" }),
      404: errorResponse("NOT_FOUND", "Not from here."),
      500: internal,
    },
  },
  "/openapi.json": {
    ...documentDefaults,
    operationId: "getOpenapiJson",
    summary: "This document: the HTTP API, as OpenAPI 3.1",
    responses: documentResponses(successResponse("The document.", "application/json", { type: "object", additionalProperties: true })),
  },
  "/asyncapi.json": {
    ...documentDefaults,
    operationId: "getAsyncapiJson",
    summary: "The socket API, as AsyncAPI 3.0",
    responses: documentResponses(successResponse("The document.", "application/json", { type: "object", additionalProperties: true })),
  },
  "/docs": {
    ...documentDefaults,
    operationId: "getDocs",
    summary: "Both, to be read by people",
    responses: documentResponses(successResponse("The page.", "text/html", { type: "string" })),
  },
};
