/** Holds the texts that /docs, /openapi.json and /asyncapi.json share. Backticks mark code. */
import type { DomainErrorCode } from "../../../core/errors.ts";
import { requestsPerCaller, socketLimits } from "../shared/limits.ts";

export const title = "Parley";
export const tagline = "A self-hosted messaging server with accounts, contacts and chats. Messages are not lost, duplicated or reordered.";

export const credentials =
  "The credential is an access token (JWT). Sign-up and log-in set it as the cookie `token`, which browsers keep. Log-in also returns it, and other clients send `Authorization: Bearer <token>`. A token is valid for 24 hours, or until its session is revoked.";

const { messages, others } = socketLimits;

/** Rules that apply to all routes. */
export const generalRules: readonly { readonly name: string; readonly text: string }[] = [
  { name: "Credential", text: credentials },
  {
    name: "Bodies",
    text: "JSON objects in UTF-8, at most 100 kB unless a route says otherwise; files are sent in forms (`multipart/form-data`). Unknown fields and query parameters are refused, and so is text that is not well-formed Unicode. Lengths count UTF-16 code units.",
  },
  { name: "Values", text: "Ids are 24 lower-case hex digits, times are ISO 8601 in UTC, and numbers are integers." },
  {
    name: "Errors",
    text: "`{message, code, details?, requestId, traceId?}`. Codes are stable; messages are for people and may change. If several errors apply, you get the first of these: unknown route 404, too many requests from an address 429, body too large 413, no session 401, origin not allowed 403, too many requests from a user 429, invalid input 400, then 403 or 404, then 409.",
  },
  {
    name: "Limits",
    text: `${requestsPerCaller.points} requests per second with a burst of ${requestsPerCaller.burst} more, per user, or per address without a session; \`Retry-After\` says how many seconds to wait. Over sockets, ${messages.perSecond} messages per second with bursts of up to ${messages.burst}, and ${others.perSecond} other events with bursts of up to ${others.burst}, per user; \`retryAfterMs\` says how long to wait.`,
  },
  {
    name: "Paging",
    text: 'Lists take `limit` (1-200) and a cursor. If there is a next page, a header has its URL: `Link: <...>; rel="next"`.',
  },
  {
    name: "Requests",
    text: "Every response has the header `X-Request-ID`, the id in the server's log. HEAD works like GET, without the body.",
  },
];

/** The tags' titles, by the first segment of a route's path. A test checks that each tag has one. */
export const tagTitles: Readonly<Record<string, string>> = {
  auth: "Accounts and sessions",
  profile: "Profiles",
  request: "Contacts",
  chat: "Chats and messages",
  operators: "For operators",
  documents: "Documents",
};

/** What each code means on any route or event. Contracts add the reasons of single actions. */
export const generalErrorTexts: Readonly<Record<DomainErrorCode, string>> = {
  VALIDATION: "Malformed, missing or unknown input; `details` names each invalid field.",
  UNAUTHENTICATED: "No session; the token is missing, malformed, expired or revoked.",
  FORBIDDEN: "The page's origin is not allowed.",
  NOT_FOUND: "It does not exist, or you may not see it.",
  CONFLICT: "The current state does not allow it.",
  TOO_LARGE: "The body is too large.",
  UNSUPPORTED_TYPE: "The body's type is not supported here.",
  RATE_LIMITED: "Too many requests; retry after `Retry-After` seconds.",
  INTERNAL: "Something went wrong on the server.",
  UNAVAILABLE: "A part of the server is unavailable or overloaded; try again.",
};

export const socketTexts = [
  "Connect Socket.IO at the path `/chat/socket.io/` (or `/socket.io/`), default namespace, with the cookie `token` or `auth: {token}`. A refused handshake is a `connect_error` whose `data` is `{message, code, retryAfterMs?, requestId}`.",
  "Each event takes one object and an acknowledgement callback, which receives `{ok: true, data}` or `{ok: false, error: {message, code, retryAfterMs?, requestId}}`. Without a callback, you receive a failure as the event `error`. A frame over 1 MB disconnects the socket; no other invalid input does.",
  "The server stores a socket's messages to a chat in the order sent, and every client receives `receiveMessage` in `seq` order. Clients that may fall back to HTTP polling need a load balancer with sticky sessions.",
] as const;
