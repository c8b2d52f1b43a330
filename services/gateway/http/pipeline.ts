/**
 * Runs a route's requests through these steps: limit per address, check the size, authenticate, check the origin, limit per user,
 * validate, apply the row's limits, store an uploaded file, call the action, present its result. The first step that fails determines
 * the response.
 */
import type { ServerResponse } from "node:http";
import { call, type ClientInfo, type Meta } from "../../../core/contract/call.ts";
import { Forbidden, Invalid, Unauthenticated } from "../../../core/errors.ts";
import type { Rules } from "../../../core/contract/schema.ts";
import { clientOf } from "../shared/address.ts";
import type { GatewayContext } from "../shared/context.ts";
import { inputCheck } from "../shared/input-rules.ts";
import type { VerifiedSession } from "../shared/sessions.ts";
import { addressKey } from "../../../core/security/address-key.ts";
import { requestsPerCaller, enforceLimit } from "../shared/limits.ts";
import { answerJson } from "./response/answer.ts";
import { defaultMaxBytes, hasBody, readBody, readJsonBody, expectNoBody, type ReceivedBody } from "./request/body.ts";
import { tokenCookie, tokenOf } from "../shared/credential.ts";
import { answerFile } from "./response/download.ts";
import { parseQuery } from "./request/query.ts";
import { actionInput, publicRules, type QueryParams, type RouteRow } from "./table.ts";
import { withAdmittedFile, type AdmittedUpload } from "./request/admit-upload.ts";
import type { InputFields, HttpRequest, PathParams } from "./request/http-request.ts";
import { uploadMaxBytes, readUpload } from "./request/upload.ts";

export type Pipeline = (context: GatewayContext, request: HttpRequest, response: ServerResponse) => Promise<void>;

/** Builds a row's pipeline. Everything that does not depend on the request is computed once. */
export function pipeline(row: RouteRow): Pipeline {
  const { action, limits: rowLimits = [] } = row;
  const body = bodyReader(row);
  const paramsOf = paramsReader(row);
  const needsSession = action.access === "user" && row.isSessionOptional === undefined;
  const changesState = row.method !== "GET";

  return async (context, request, response) => {
    const { limits, sessions } = context;
    const address = context.addressOf(request);
    const session = action.access === "user" ? sessions.check(tokenOf(request)) : undefined;
    request.userId = session?.user.id;
    // For public routes, and for missing or invalid credentials.
    if (session === undefined) await enforceLimit(limits, requestsPerCaller, addressKey(address));
    const refusal = await refusalOf(context, request, session);
    if (refusal !== undefined) {
      if (hasBody(request)) await readBody(request, body.maxBytesOf(request), false);
      throw refusal;
    }
    const received = await body.read(request, session?.user.id ?? "");
    try {
      const params = paramsOf(request, received);
      for (const { limit, key } of rowLimits) await enforceLimit(limits, limit, key(params, addressKey(address), session?.user.id ?? ""));

      const isSkipped = row.isSessionOptional === true && session === undefined;
      const options = () => ({ meta: metaOf(session, clientOf(context, request)) });
      const callAction = (file?: AdmittedUpload) => call(context.broker, action, actionInput(row, params, file), options());
      const { file } = received;
      const result: unknown = isSkipped
        ? null
        : file === undefined
          ? await callAction()
          : await withAdmittedFile(context, row.upload!, { file, params, options }, callAction);
      await respond(row, result, params, { context, userId: session?.user.id ?? "", request, response });
    } finally {
      await received.release?.();
    }
  };

  /** The reason to refuse the request regardless of its content. */
  async function refusalOf(
    { limits, origins }: GatewayContext,
    request: HttpRequest,
    session: VerifiedSession | undefined,
  ): Promise<unknown> {
    if (needsSession && session === undefined) return new Unauthenticated();
    if (changesState && !origins.isAllowed(request)) return new Forbidden("This origin is not allowed");
    return session === undefined ? undefined : enforceLimit(limits, requestsPerCaller, session.user.id).catch((error: unknown) => error);
  }
}

interface BodyReader {
  readonly maxBytesOf: (request: HttpRequest) => number;
  readonly read: (request: HttpRequest, userId: string) => Promise<ReceivedBody>;
}

const takesQuery = ({ method }: RouteRow): boolean => method === "GET" || method === "DELETE";

function bodyReader(row: RouteRow): BodyReader {
  const { upload, maxBytes = defaultMaxBytes } = row;
  if (upload !== undefined) {
    return {
      maxBytesOf: (request) => uploadMaxBytes(request, upload, maxBytes),
      read: (request, userId) => readUpload(request, upload, maxBytes, userId),
    };
  }
  const read = takesQuery(row) ? expectNoBody : readJsonBody;
  return { maxBytesOf: () => maxBytes, read: (request) => read(request, maxBytes) };
}

const metaOf = (session: VerifiedSession | undefined, client: ClientInfo): Meta =>
  session === undefined ? { client } : { user: session.user, client };

/** Reads a row's params from the path, and from the query or the body. A param in the wrong one of these is refused. */
function paramsReader(row: RouteRow): (request: HttpRequest, received: ReceivedBody) => Record<string, unknown> {
  const inPath = [...row.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const inQuery = takesQuery(row);
  const rules = publicRules(row);
  const check = inputCheck(rules);
  const checkTexts = row.upload === undefined ? check : inputCheck(withTextConversion(rules));
  return ({ query, pathParams }, received) => {
    if (!inQuery && query !== "") throw new Invalid("This route takes no query");
    const params = inQuery ? parseQuery(query) : received.params;
    for (const name of inPath) {
      if (Object.hasOwn(params, name)) throw new Invalid(`${name} belongs in the path`, [{ field: name, message: "belongs in the path" }]);
      params[name] = pathParams[name];
    }
    (received.isForm ? checkTexts : check)(params);
    return params;
  };
}

/** The same rules for forms, where numbers and booleans arrive as text. */
const withTextConversion = (rules: Rules): Rules =>
  Object.fromEntries(
    Object.entries(rules).map(([name, rule]) => [
      name,
      rule.type === "number" || rule.type === "boolean" ? { ...rule, convert: true } : rule,
    ]),
  );

interface Exchange {
  readonly context: GatewayContext;
  /** Empty without a session. */
  readonly userId: string;
  readonly request: HttpRequest;
  readonly response: ServerResponse;
}

async function respond(
  row: RouteRow,
  result: unknown,
  params: InputFields,
  { context, userId, request, response }: Exchange,
): Promise<void> {
  if (row.download !== undefined) {
    await answerFile({ blobs: context.blobs, userId, request, response }, row.download(result, params));
    return;
  }
  const { status = 200 } = row;
  const body = row.present(result);
  const code = typeof status === "number" ? status : status(result);
  if (row.token !== undefined) response.setHeader("Set-Cookie", tokenCookie(row.token(result), context.isSecure));
  const next = row.nextPage?.(result, params);
  if (next !== undefined) response.setHeader("Link", `<${request.path}?${nextQuery(next, params, request.pathParams)}>; rel="next"`);
  context.log.debug({ requestId: request.requestId, method: row.method, path: row.path, status: code }, "Request answered");
  answerJson(response, code, body);
}

/** The query of the next page: the new cursor, and the other params of this request. */
const nextQuery = (cursor: QueryParams, params: object, pathParams: PathParams): string =>
  Object.entries({ ...cursor, ...params, ...cursor })
    .filter(([name, value]) => value !== undefined && !Object.hasOwn(pathParams, name))
    .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
    .join("&");
