/** Serves the API's documents: public, built once at start, with ETags. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { addressKey } from "../../../core/security/address-key.ts";
import { version } from "../../../core/version.ts";
import { requestsPerCaller, enforceLimit } from "../shared/limits.ts";
import type { HttpRequest } from "../http/request/http-request.ts";
import { discardBody } from "../http/request/body.ts";
import { matchesEtag } from "../http/response/etag.ts";
import type { GatewayContext } from "../shared/context.ts";
import { routes } from "../http/routes/index.ts";
import { serverEvents } from "../socket/server-events.ts";
import { clientEvents } from "../socket/client-events.ts";
import { readAnswers } from "./answers.ts";
import { asyncApi } from "./asyncapi.ts";
import { openApi } from "./openapi.ts";
import { renderPage } from "./page/layout.ts";

/** Clients revalidate each time, which the ETag makes cheap: a cached page must not outlive its release. */
const caching = "public, no-cache";

/** Allows the page's own style, script and icon only. */
const pagePolicy =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface ServedFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

const readAsset = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

function servedFile(type: string, text: string): ServedFile {
  const bytes = Buffer.from(text);
  return { type: `${type}; charset=utf-8`, bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
}

function buildFiles(): ReadonlyMap<string, ServedFile> {
  const answers = readAnswers();
  const http = openApi(routes, answers, version);
  const sockets = asyncApi(clientEvents, serverEvents, answers, version);
  return new Map([
    ["/openapi.json", servedFile("application/json", JSON.stringify(http))],
    ["/asyncapi.json", servedFile("application/json", JSON.stringify(sockets))],
    ["/docs", servedFile("text/html", renderPage(http, sockets, version))],
    ["/docs/style.css", servedFile("text/css", readAsset("page/style.css"))],
    ["/docs/page.js", servedFile("text/javascript", readAsset("page/page.js"))],
    ["/docs/icon.svg", servedFile("image/svg+xml", readAsset("page/icon.svg"))],
  ]);
}

const files = buildFiles();
export const docsPaths = [...files.keys()];

/** Answers a request for one of `docsPaths`. @throws TooMany */
export async function answerDocs(
  path: string,
  { limits, addressOf }: GatewayContext,
  request: HttpRequest,
  response: ServerResponse,
): Promise<void> {
  await discardBody(request);
  await enforceLimit(limits, requestsPerCaller, addressKey(addressOf(request)));
  const { type, bytes, etag } = files.get(path)!;
  response.setHeader("ETag", etag);
  response.setHeader("Cache-Control", caching);
  if (matchesEtag(request.headers["if-none-match"], etag)) {
    response.statusCode = 304;
    response.end();
    return;
  }
  if (path === "/docs") response.setHeader("Content-Security-Policy", pagePolicy);
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Length", bytes.length);
  response.end(bytes);
}
