/**
 * What happens to a request of the table, in this order: limit by address, size, authenticate, origin, limit by person,
 * validate, limit by row, take in its file, call, present. Whatever goes wrong is answered by its first failing step.
 */
import type { ServerResponse } from "node:http";
import type { Logger, ServiceBroker } from "moleculer";
import { call, type ClientInfo, type Meta } from "../../../core/contract/call.ts";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import { Forbidden, Invalid, Unauthenticated } from "../../../core/errors.ts";
import type { Limits } from "../../../core/limits/limits.ts";
import type { Rules } from "../../../core/contract/schema.ts";
import type { SecurityLog } from "../../../core/security/log.ts";
import { clientOf } from "../refusals.ts";
import { strictCheck } from "../strict.ts";
import type { Session, Sessions } from "../sessions.ts";
import { addressKey } from "../../../core/security/address-key.ts";
import type { AddressOf } from "./address.ts";
import { requests, spend } from "./allowances.ts";
import { answerJson, type HttpRequest, type PathParams } from "./answer.ts";
import { defaultMaxBytes, hasBody, readBody, receiveJson, receiveNothing, type Received } from "./body.ts";
import { tokenCookie, tokenOf } from "./credential.ts";
import { answerFile } from "./download.ts";
import type { Origins } from "./origins.ts";
import { parseQuery } from "./query.ts";
import { actionInput, publicRules, type Fields, type Query, type Row, type TakenIn } from "./table.ts";
import { mostBytesOf, receiveUpload, withFile } from "./upload.ts";

/** What the steps need of their gateway; it is there once the service has started. */
export interface Surroundings {
  readonly broker: ServiceBroker;
  readonly limits: Limits;
  readonly blobs: Blobs;
  readonly sessions: Sessions;
  readonly origins: Origins;
  readonly addressOf: AddressOf;
  /** Cookies travel over TLS only. */
  readonly isSecure: boolean;
  readonly log: Logger;
  readonly security: SecurityLog;
}

export type Pipeline = (around: Surroundings, request: HttpRequest, response: ServerResponse) => Promise<void>;

/** A row's pipeline; what doesn't depend on the request is worked out here, once. */
export function pipeline(row: Row): Pipeline {
  const { action, limits: rowLimits = [] } = row;
  const body = bodyOf(row);
  const paramsOf = paramsReader(row);
  const needsSession = action.access === "user" && row.isSessionOptional === undefined;
  const changesState = row.method !== "GET";

  return async (around, request, response) => {
    const { limits, sessions } = around;
    const address = around.addressOf(request);
    const session = action.access === "user" ? sessions.check(tokenOf(request)) : undefined;
    request.userId = session?.user.id;
    // Public routes, and credentials that are missing or bad.
    if (session === undefined) await spend(limits, requests, addressKey(address));
    const refusal = await refusalOf(around, request, session);
    if (refusal !== undefined) {
      if (hasBody(request)) await readBody(request, body.mostBytes(request), false);
      throw refusal;
    }
    const received = await body.receive(request, session?.user.id ?? "");
    try {
      const params = paramsOf(request, received);
      for (const { allowance, key } of rowLimits) await spend(limits, allowance, key(params, addressKey(address), session?.user.id ?? ""));

      const isSkipped = row.isSessionOptional === true && session === undefined;
      const options = () => ({ meta: metaOf(session, clientOf(around, request)) });
      const run = (file?: TakenIn) => call(around.broker, action, actionInput(row, params, file), options());
      const { file } = received;
      const result: unknown = isSkipped
        ? null
        : file === undefined
          ? await run()
          : await withFile(around, row.upload!, { file, params, options }, run);
      await leave(row, result, params, { around, userId: session?.user.id ?? "", request, response });
    } finally {
      await received.release?.();
    }
  };

  /** Why the request is refused whatever it brings. */
  async function refusalOf({ limits, origins }: Surroundings, request: HttpRequest, session: Session | undefined): Promise<unknown> {
    if (needsSession && session === undefined) return new Unauthenticated();
    if (changesState && !origins.isAllowed(request)) return new Forbidden("This origin may not call");
    return session === undefined ? undefined : spend(limits, requests, session.user.id).catch((error: unknown) => error);
  }
}

/** How a row's body is read. */
interface Body {
  readonly mostBytes: (request: HttpRequest) => number;
  readonly receive: (request: HttpRequest, userId: string) => Promise<Received>;
}

const takesQuery = ({ method }: Row): boolean => method === "GET" || method === "DELETE";

function bodyOf(row: Row): Body {
  const { upload, maxBytes = defaultMaxBytes } = row;
  if (upload !== undefined) {
    return {
      mostBytes: (request) => mostBytesOf(request, upload, maxBytes),
      receive: (request, userId) => receiveUpload(request, upload, maxBytes, userId),
    };
  }
  const receive = takesQuery(row) ? receiveNothing : receiveJson;
  return { mostBytes: () => maxBytes, receive: (request) => receive(request, maxBytes) };
}

const metaOf = (session: Session | undefined, client: ClientInfo): Meta =>
  session === undefined ? { client } : { user: session.user, client };

/** Reads a row's params: of the path, and of the query or the body, each only where it belongs. */
function paramsReader(row: Row): (request: HttpRequest, received: Received) => Record<string, unknown> {
  const inPath = [...row.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const inQuery = takesQuery(row);
  const rules = publicRules(row);
  const check = strictCheck(rules);
  const checkTexts = row.upload === undefined ? check : strictCheck(readFromTexts(rules));
  return ({ query, pathParams }, received) => {
    if (!inQuery && query !== "") throw new Invalid("No query is expected here");
    const params = inQuery ? parseQuery(query) : received.params;
    for (const name of inPath) {
      if (Object.hasOwn(params, name)) throw new Invalid(`${name} belongs in the path`, [{ field: name, message: "belongs in the path" }]);
      params[name] = pathParams[name];
    }
    (received.isForm ? checkTexts : check)(params);
    return params;
  };
}

/** The same rules for a form, where numbers and booleans are texts too. */
const readFromTexts = (rules: Rules): Rules =>
  Object.fromEntries(
    Object.entries(rules).map(([name, rule]) => [
      name,
      rule.type === "number" || rule.type === "boolean" ? { ...rule, convert: true } : rule,
    ]),
  );

interface Exchange {
  readonly around: Surroundings;
  /** Empty for nobody. */
  readonly userId: string;
  readonly request: HttpRequest;
  readonly response: ServerResponse;
}

async function leave(row: Row, result: unknown, params: Fields, { around, userId, request, response }: Exchange): Promise<void> {
  if (row.download !== undefined) {
    await answerFile({ blobs: around.blobs, userId, request, response }, row.download(result, params));
    return;
  }
  const { status = 200 } = row;
  const body = row.present(result);
  const code = typeof status === "number" ? status : status(result);
  if (row.token !== undefined) response.setHeader("Set-Cookie", tokenCookie(row.token(result), around.isSecure));
  const next = row.nextPage?.(result, params);
  if (next !== undefined) response.setHeader("Link", `<${request.path}?${nextQuery(next, params, request.pathParams)}>; rel="next"`);
  around.log.debug({ requestId: request.requestId, method: row.method, path: row.path, status: code }, "Request answered");
  answerJson(response, code, body);
}

/** The query of the next page: its cursor, and all else as it was asked for. */
const nextQuery = (cursor: Query, params: object, pathParams: PathParams): string =>
  Object.entries({ ...cursor, ...params, ...cursor })
    .filter(([name, value]) => value !== undefined && !Object.hasOwn(pathParams, name))
    .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
    .join("&");
