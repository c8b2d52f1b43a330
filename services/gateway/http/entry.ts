/** The first thing that happens to any request, of a known route or not: the headers every answer bears, its id among them, and preflights. */
import type { ServerResponse } from "node:http";
import { NotFound } from "../../../core/errors.ts";
import { answerError, securityHeaders, type HttpRequest } from "./answer.ts";
import { preflight } from "./origins.ts";
import type { Surroundings } from "./pipeline.ts";

const plainHeaders = securityHeaders(false);
const tlsHeaders = securityHeaders(true);

/** @returns whether the request goes on to a route; else it has been answered */
export function enter({ origins, isSecure, log }: Surroundings, request: HttpRequest, response: ServerResponse): boolean {
  const { url = "" } = request;
  const mark = url.indexOf("?");
  request.path = mark < 0 ? url : url.slice(0, mark);
  request.query = mark < 0 ? "" : url.slice(mark + 1);
  response.setHeader("X-Request-ID", request.requestId);
  for (const [name, value] of isSecure ? tlsHeaders : plainHeaders) response.setHeader(name, value);
  const cors = origins.headers(request);
  for (const name in cors) response.setHeader(name, cors[name]!);
  if (request.method === "OPTIONS") {
    if (request.headers["access-control-request-method"] === undefined) answerError(log, request, response, new NotFound("No such route"));
    else answerPreflight(response);
    return false;
  }
  // Node leaves the body of the answer out by itself.
  request.isHead = request.method === "HEAD";
  if (request.isHead) request.method = "GET";
  return true;
}

function answerPreflight(response: ServerResponse): void {
  for (const [name, value] of Object.entries(preflight)) response.setHeader(name, value);
  response.statusCode = 204;
  response.end();
}
