/** Checks answers over HTTP and acknowledgements over a socket against the documents and the caller's rights. */
import type { OpenApiOperation } from "../../../services/gateway/docs/fixed-paths.ts";
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import type { Ack, ApiResponse, Received } from "../../support/people/person.ts";
import type { DocumentedHttp, DocumentedSockets } from "../../support/api/documented.ts";
import type { CallerRole } from "../calls/callers.ts";
import type { RawCall } from "../calls/raw-http.ts";
import type { FindingKind } from "./report.ts";
import { internalTexts } from "../../support/api/internal-texts.ts";

export interface AnswerProblem {
  readonly fault: FindingKind;
  readonly what: string;
}

/** Tokens, whose random characters could match. */
const token = /[\w-]+\.[\w-]+\.[\w-]{20,}/g;

const codes = "VALIDATION|UNAUTHENTICATED|FORBIDDEN|NOT_FOUND|CONFLICT|TOO_LARGE|UNSUPPORTED_TYPE|RATE_LIMITED|UNAVAILABLE|INTERNAL";
const isError = (body: Received): boolean =>
  typeof body?.message === "string" &&
  new RegExp(`^(?:${codes})$`).test(body.code) &&
  typeof body.requestId === "string" &&
  Object.keys(body).every((key) => ["message", "code", "details", "requestId"].includes(key));

export function checkAnswer(document: DocumentedHttp, call: RawCall, role: CallerRole, answer: ApiResponse): AnswerProblem[] {
  const { status, headers, body } = answer;
  const problems: AnswerProblem[] = [];
  const wrong = (fault: FindingKind, what: string) => problems.push({ fault, what });
  const isHead = call.method === "HEAD";
  if (status >= 500) wrong("broken", `answered ${status}`);
  if (status >= 400 && !isHead && !isError(body)) wrong("undocumented", `answered ${status} without a documented error`);
  const text = [...headers].map(([name, value]) => `${name}: ${value}`).join("\n") + (status >= 400 ? JSON.stringify(body) : "");
  const [leak] = internalTexts.exec(text.replace(token, "")) ?? [];
  if (leak !== undefined) wrong("internal", `reveals "${leak}"`);
  if (call.isOffRoute === true) return problems;
  try {
    checkTrimmedOrNot(call.json, (body) => document.answered(call.operation, body, answer));
  } catch (error) {
    wrong("undocumented", (error as Error).message.slice(0, 300));
  }
  if (status < 300 && isForbidden(document.operations.get(call.operation)!, call.operation, role)) wrong("letIn", `answered ${status}`);
  return problems;
}

export function checkAck(
  document: DocumentedSockets,
  event: string,
  payload: unknown,
  role: CallerRole,
  ack: Ack,
  fields: JsonSchema,
): AnswerProblem[] {
  const problems: AnswerProblem[] = [];
  if (!ack.ok) {
    if (/^(?:INTERNAL|UNAVAILABLE)$/.test(ack.error.code)) problems.push({ fault: "broken", what: `answered ${ack.error.code}` });
    const [leak] = internalTexts.exec(JSON.stringify(ack)) ?? [];
    if (leak !== undefined) problems.push({ fault: "internal", what: `reveals "${leak}"` });
  }
  try {
    checkTrimmedOrNot(payload, (seen) => document.acknowledged(event, seen, ack));
  } catch (error) {
    problems.push({ fault: "undocumented", what: (error as Error).message.slice(0, 300) });
  }
  const names = Object.keys(fields["properties"] ?? {});
  if (ack.ok && role === "wrong user" && names.some((name) => ownedIds.includes(name)))
    problems.push({ fault: "letIn", what: "answered ok" });
  return problems;
}

/** Parameters that refer to something of the user, which a stranger has no access to. */
const ownedIds = ["chatId", "messageId", "requestId"];

/** Whether this role must never succeed there: without a session, or with another user's ids. */
function isForbidden({ security, parameters = [], requestBody }: OpenApiOperation, name: string, role: CallerRole): boolean {
  if (role === "nobody") return security.length > 0 && security.every((one) => Object.keys(one).length > 0);
  if (role === "user") return false;
  const inBody = JSON.stringify(requestBody ?? {});
  const isNamed = (id: string) => parameters.some((one) => one["name"] === id) || inBody.includes(`"${id}":`);
  return ownedIds.some(isNamed) || name.includes("/chat/files/");
}

/** Checks a payload with trimmed texts, and if that fails as it is. A schema does not say whether the server trims. */
function checkTrimmedOrNot(payload: unknown, check: (seen: unknown) => void): void {
  try {
    check(asValidated(payload, (text) => text.trim()));
  } catch {
    check(asValidated(payload, (text) => text));
  }
}

/** Makes schemas count characters as the server's rules do: by UTF-16 units, so each astral character becomes two. */
function asValidated(value: unknown, seen: (text: string) => string, depth = 0): unknown {
  if (typeof value === "string") return seen(value).replace(/[\u{10000}-\u{10ffff}]/gu, "xx");
  if (typeof value !== "object" || value === null || depth > 5 || Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return value.map((one) => asValidated(one, seen, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, asValidated(one, seen, depth + 1)]));
}
