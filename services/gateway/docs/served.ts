/** The documents as they are served: made once, public, and told apart by their ETag. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { addressKey } from "../../../core/security/address-key.ts";
import { version } from "../../../core/version.ts";
import { requests, spend } from "../http/allowances.ts";
import type { HttpRequest } from "../http/answer.ts";
import { passOver } from "../http/body.ts";
import { isKnown } from "../http/etag.ts";
import type { Surroundings } from "../http/pipeline.ts";
import { routes } from "../http/routes/index.ts";
import { emitted } from "../socket/emitted.ts";
import { events } from "../socket/events.ts";
import { readAnswers } from "./answers.ts";
import { asyncApi } from "./asyncapi.ts";
import { openApi } from "./openapi.ts";
import { page } from "./page.ts";

/** Asked again each time, which an ETag makes cheap: a page must not outlive its release. */
const caching = "public, no-cache";

/** The page's own style, script and icon, and nothing else of anyone's. */
const pagePolicy =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Document {
  readonly type: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

const fromHere = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

function document(type: string, text: string): Document {
  const bytes = Buffer.from(text);
  return { type: `${type}; charset=utf-8`, bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
}

function make(): ReadonlyMap<string, Document> {
  const answers = readAnswers();
  const http = openApi(routes, answers, version);
  const sockets = asyncApi(events, emitted, answers, version);
  return new Map([
    ["/openapi.json", document("application/json", JSON.stringify(http))],
    ["/asyncapi.json", document("application/json", JSON.stringify(sockets))],
    ["/docs", document("text/html", page(http, sockets, version))],
    ["/docs/style.css", document("text/css", fromHere("page/style.css"))],
    ["/docs/page.js", document("text/javascript", fromHere("page/page.js"))],
    ["/docs/icon.svg", document("image/svg+xml", fromHere("page/icon.svg"))],
  ]);
}

const documents = make();
export const documentPaths = [...documents.keys()];

/** Answers a request for one of `documentPaths`. @throws TooMany */
export async function answerDocument(
  path: string,
  { limits, addressOf }: Surroundings,
  request: HttpRequest,
  response: ServerResponse,
): Promise<void> {
  await passOver(request);
  await spend(limits, requests, addressKey(addressOf(request)));
  const { type, bytes, etag } = documents.get(path)!;
  response.setHeader("ETag", etag);
  response.setHeader("Cache-Control", caching);
  if (isKnown(request.headers["if-none-match"], etag)) {
    response.statusCode = 304;
    response.end();
    return;
  }
  if (path === "/docs") response.setHeader("Content-Security-Policy", pagePolicy);
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Length", bytes.length);
  response.end(bytes);
}
