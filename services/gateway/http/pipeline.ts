/**
 * What happens to a request of the table, in this order: limit by address, size, authenticate, origin, limit by person,
 * validate, limit by row, call, present. Whatever goes wrong is answered by its first failing step.
 */
import type { ServerResponse } from "node:http";
import type { Logger, ServiceBroker } from "moleculer";
import { call, type Meta } from "../../../core/call.ts";
import { Forbidden, Invalid, Unauthenticated } from "../../../core/errors.ts";
import type { Limits } from "../../../core/limits/limits.ts";
import { strictCheck } from "../strict.ts";
import type { Session, Sessions } from "../sessions.ts";
import { addressKey, type AddressOf } from "./address.ts";
import { requests, spend } from "./allowances.ts";
import { answerJson, type HttpRequest } from "./answer.ts";
import { hasBody, parseJson, readBody } from "./body.ts";
import { tokenCookie, tokenOf } from "./credential.ts";
import type { Origins } from "./origins.ts";
import { parseQuery } from "./query.ts";
import type { Row } from "./table.ts";

/** What the steps need of their gateway; it is there once the service has started. */
export interface Surroundings {
  readonly broker: ServiceBroker;
  readonly limits: Limits;
  readonly sessions: Sessions;
  readonly origins: Origins;
  readonly addressOf: AddressOf;
  /** Cookies travel over TLS only. */
  readonly isSecure: boolean;
  readonly log: Logger;
}

export type Pipeline = (around: Surroundings, request: HttpRequest, response: ServerResponse) => Promise<void>;

const defaultMaxBytes = 100 * 1024;
const longestDevice = 200;

/** A row's pipeline; what doesn't depend on the request is worked out here, once. */
export function pipeline(row: Row): Pipeline {
  const { action, maxBytes = defaultMaxBytes, limits: rowLimits = [] } = row;
  const paramsOf = paramsReader(row);
  const needsSession = action.access === "user" && row.isSessionOptional === undefined;
  const changesState = row.method !== "GET";

  return async (around, request, response) => {
    const { limits, sessions, origins } = around;
    const address = around.addressOf(request);
    const session = action.access === "user" ? sessions.check(tokenOf(request)) : undefined;
    // Public routes, and credentials that are missing or bad.
    if (session === undefined) await spend(limits, requests, addressKey(address));
    const isRefused = needsSession && session === undefined;
    const bytes = hasBody(request) ? await readBody(request, maxBytes, !isRefused) : undefined;
    if (isRefused) throw new Unauthenticated();
    if (changesState && !origins.isAllowed(request)) throw new Forbidden("This origin may not call");
    if (session !== undefined) await spend(limits, requests, session.user.id);
    const params = paramsOf(request, bytes);
    for (const { allowance, key } of rowLimits) await spend(limits, allowance, key(params, addressKey(address), session?.user.id ?? ""));

    const isSkipped = row.isSessionOptional === true && session === undefined;
    const input: Record<string, unknown> = row.input === undefined ? params : row.input(params);
    const options = { meta: metaOf(session, request, address), requestID: request.requestId };
    const result: unknown = isSkipped ? null : await call(around.broker, action, input, options);
    present(row, result, params, { around, request, response });
  };
}

function metaOf(session: Session | undefined, { headers }: HttpRequest, address: string): Meta {
  const client = { device: (headers["user-agent"] ?? "").slice(0, longestDevice), address };
  return session === undefined ? { client } : { user: session.user, client };
}

/** Reads a row's params: of the path, and of the query or the body, each only where it belongs. */
function paramsReader(row: Row): (request: HttpRequest, bytes: Buffer | undefined) => Record<string, unknown> {
  const inPath = [...row.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const inQuery = row.method === "GET" || row.method === "DELETE";
  const check = strictCheck(row.params ?? row.action.params);
  return (request, bytes) => {
    const { query, pathParams } = request;
    const misplaced = inQuery ? bytes !== undefined && bytes.length > 0 : query !== "";
    if (misplaced) throw new Invalid(inQuery ? "No body is expected here" : "No query is expected here");
    const params = inQuery ? parseQuery(query) : bytes === undefined || bytes.length === 0 ? {} : parseJson(request, bytes);
    for (const name of inPath) {
      if (Object.hasOwn(params, name)) throw new Invalid(`${name} belongs in the path`, [{ field: name, message: "belongs in the path" }]);
      params[name] = pathParams[name];
    }
    check(params);
    return params;
  };
}

interface Exchange {
  readonly around: Surroundings;
  readonly request: HttpRequest;
  readonly response: ServerResponse;
}

function present(row: Row, result: unknown, params: object, { around, request, response }: Exchange): void {
  const { status = 200 } = row;
  const body = row.present(result);
  const code = typeof status === "number" ? status : status(result);
  if (row.token !== undefined) response.setHeader("Set-Cookie", tokenCookie(row.token(result), around.isSecure));
  const next = row.nextPage?.(result, params);
  if (next !== undefined) response.setHeader("Link", `<${request.path}?${queryOf(next)}>; rel="next"`);
  around.log.debug({ requestId: request.requestId, method: row.method, path: row.path, status: code }, "Request answered");
  answerJson(response, code, body);
}

const queryOf = (query: Readonly<Record<string, string | number>>): string =>
  Object.entries(query)
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    .join("&");
