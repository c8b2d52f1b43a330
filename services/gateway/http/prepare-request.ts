/** Prepares every request, before its route is known: sets the headers that all responses have, and answers preflights. */
import type { ServerResponse } from "node:http";
import { NotFound } from "../../../core/errors.ts";
import type { HttpRequest } from "./request/http-request.ts";
import { answerError, securityHeaders } from "./response/answer.ts";
import { preflightHeaders } from "../shared/origins.ts";
import type { GatewayContext } from "../shared/context.ts";

const plainHeaders = securityHeaders(false);
const tlsHeaders = securityHeaders(true);

/** @returns false if the request has been answered */
export function prepareRequest({ origins, isSecure, log }: GatewayContext, request: HttpRequest, response: ServerResponse): boolean {
  const { url = "" } = request;
  const queryStart = url.indexOf("?");
  request.path = queryStart < 0 ? url : url.slice(0, queryStart);
  request.query = queryStart < 0 ? "" : url.slice(queryStart + 1);
  response.setHeader("X-Request-ID", request.requestId);
  for (const [name, value] of isSecure ? tlsHeaders : plainHeaders) response.setHeader(name, value);
  const cors = origins.headers(request);
  for (const name in cors) response.setHeader(name, cors[name]!);
  if (request.method === "OPTIONS") {
    if (request.headers["access-control-request-method"] === undefined) answerError(log, request, response, new NotFound("No such route"));
    else answerPreflight(response);
    return false;
  }
  // Node omits the body of responses to HEAD.
  request.isHead = request.method === "HEAD";
  if (request.isHead) request.method = "GET";
  return true;
}

function answerPreflight(response: ServerResponse): void {
  for (const [name, value] of Object.entries(preflightHeaders)) response.setHeader(name, value);
  response.statusCode = 204;
  response.end();
}
