/** What the documents say of all routes and events alike. Backticks mark code. */
import type { DomainErrorCode } from "../../../core/errors.ts";

export const title = "Parley";
export const tagline = "A self-hosted messaging server: accounts, contacts, chats. No message is lost, doubled or out of order.";

export const credentials =
  "The credential is an access token (JWT) that sign-up and log-in give: browsers keep it in the cookie `token`, everybody else sends `Authorization: Bearer <token>`. A token lasts 24 hours, or until its session is revoked.";

/** Rules that hold everywhere, each with a name. */
export const generalRules: readonly { readonly name: string; readonly text: string }[] = [
  { name: "Credential", text: credentials },
  {
    name: "Bodies",
    text: "JSON objects in UTF-8, at most 100 kB where a route says nothing else; files come in forms (`multipart/form-data`). Unknown fields and query parameters are refused, and so is text that is not well-formed Unicode. Lengths are counted in UTF-16 code units.",
  },
  { name: "Values", text: "Ids are 24 hex digits in lower case, times ISO-8601 in UTC, numbers whole." },
  {
    name: "Errors",
    text: "`{message, code, details?, requestId, traceId?}`. The code is stable, the message is for people. The first that applies is told: unknown route 404, too many requests of an address 429, body too large 413, no session 401, foreign origin 403, too many requests of a person 429, not valid 400, then 403 or 404, then 409.",
  },
  {
    name: "Limits",
    text: "10 requests a second and 20 at once, per person, or per address without a session; sockets count their events the same way, messages apart. `Retry-After` says in seconds when to come again.",
  },
  {
    name: "Paging",
    text: 'Lists take `limit` (1-200) and a cursor. A list that is a bare array carries the next page in a header: `Link: <...>; rel="next"`.',
  },
  {
    name: "Requests",
    text: "Every answer bears `X-Request-ID`, which the server's log has too. HEAD is answered as GET, without the body.",
  },
];

/** The parts of the HTTP API, by the first piece of their paths. */
export const tagTitles: Readonly<Record<string, string>> = {
  auth: "Accounts and sessions",
  profile: "Profiles",
  request: "Contacts",
  chat: "Chats and messages",
  operators: "For operators",
  documents: "Documents",
};

/** When any route or event may answer with a code; what is particular to one is said there. */
export const generalErrorTexts: Readonly<Record<DomainErrorCode, string>> = {
  VALIDATION: "Malformed, missing or unknown input; `details` names each field that is wrong.",
  UNAUTHENTICATED: "No session: the token is missing, malformed, expired or revoked.",
  FORBIDDEN: "The page's origin is not allowed to call.",
  NOT_FOUND: "There is no such thing, or it is not one's to see.",
  CONFLICT: "It can't be done as things stand.",
  TOO_LARGE: "The body is too large.",
  UNSUPPORTED_TYPE: "The body is of a type that is not taken here.",
  RATE_LIMITED: "Too many requests; `Retry-After` says when to come again.",
  INTERNAL: "Something went wrong on the server's side.",
  UNAVAILABLE: "A part of the server is away or too busy; try again.",
};

export const socketTexts = [
  "Socket.IO at the path `/chat/socket.io/` (`/socket.io/` too), default namespace, with the cookie `token` or `auth: {token}`. A refused handshake is a `connect_error` whose `data` is `{code, message}`.",
  "Each event takes one object and an acknowledgement callback, which gets `{ok: true, data}` or `{ok: false, error: {message, code, retryAfterMs?}}`. Without a callback a failure comes as the event `error`. A frame over 1 MB cuts the socket, and nothing else does.",
  "What one socket sends to a chat is stored in the order sent, and `receiveMessage` comes in `seq` order to everybody. Clients that may fall back to HTTP polling need a sticky balancer.",
] as const;
