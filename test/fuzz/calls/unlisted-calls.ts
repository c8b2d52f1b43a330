/** Makes invalid calls of any route: bodies that are not JSON, other methods and paths, and hostile headers. */
import type { RawCall } from "./raw-http.ts";
import type { PayloadFields } from "./invalid-payloads.ts";

const wrongTypes = [
  "",
  "text/plain",
  "application/xml",
  "application/json; charset=utf-16",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "json",
  "application/json, text/plain",
  "application/json;".repeat(200),
  "*/*",
];

/** Bodies that are not JSON, or that have another content type. */
export function rawBodies(plain: RawCall, right: PayloadFields): RawCall[] {
  const whole = JSON.stringify(right);
  const bodies: [string, string | Buffer][] = [
    ...[
      "",
      " ",
      "{",
      "}",
      "[",
      '{"a"',
      '{"a":}',
      "{'a':1}",
      "nul",
      "NaN",
      "Infinity",
      "1e999",
      "\u0000",
      "undefined",
      "<xml/>",
      "a=b&c=d",
      "\ufeff{}",
    ].map((body): [string, string] => [`the body ${JSON.stringify(body)}`, body]),
    ["the body cut short", whole.slice(0, -1)],
    ["something after the body", `${whole}${whole}`],
    ["a field twice", whole.replace("{", `{${whole.slice(1, -1)}${whole.length > 2 ? "," : ""}`)],
    ["huge numbers", whole.replaceAll(/"[^"]*"(?=[,}])/g, "1e999")],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ["UTF-16", Buffer.from(whole, "utf16le")],
    ["200 KB of nothing", " ".repeat(200_000)],
    ["1.5 MB", JSON.stringify({ ...right, more: "x".repeat(1_500_000) })],
    ["half a megabyte of brackets", "[".repeat(500_000)],
    ["15,000 deep", `${'{"a":'.repeat(15_000)}1${"}".repeat(15_000)}`],
  ];
  const headed = (what: string, headers: RawCall["headers"]): RawCall => ({ ...plain, what, headers: { ...plain.headers, ...headers } });
  return [
    ...bodies.map(([what, body]): RawCall => ({ ...plain, what, body, json: undefined })),
    ...wrongTypes.map((type) => headed(`the type ${JSON.stringify(type).slice(0, 40)}`, { "content-type": type })),
    ...["gzip", "br", "identity", "x"].map((encoding) => headed(`encoded as ${encoding}`, { "content-encoding": encoding })),
    { ...headed("a body that breaks off", { "content-length": String(whole.length + 100) }), isOffRoute: true, isCutOff: true },
    { ...headed("chunks that break off", { "transfer-encoding": "chunked" }), isOffRoute: true, isCutOff: true },
  ];
}

const hostileHeaders: readonly RawCall["headers"][] = [
  { "x-http-method-override": "DELETE" },
  { "x-forwarded-for": "127.0.0.1", "x-real-ip": "::1", forwarded: "for=localhost" },
  { "x-user-id": "0123456789abcdef01234567", "x-request-id": "a\u0009b" },
  { origin: "https://evil.example" },
  { origin: "null" },
  { host: "evil.example" },
  { host: "" },
  { expect: "100-continue" },
  { expect: "something" },
  { upgrade: "websocket", connection: "upgrade" },
  { upgrade: "h2c", connection: "upgrade, http2-settings", "http2-settings": "" },
  { range: "bytes=5-1" },
  { range: "bytes=0-,0-,0-,0-" },
  { range: `bytes=${"0-1,".repeat(500)}` },
  { "if-none-match": '"x", W/"y", *' },
  { accept: "text/html;q=x", "accept-encoding": "gzip, x", "accept-language": "\u00ff" },
  { "user-agent": "x".repeat(9000) },
  { "user-agent": "\u0080\u00ff" },
  { cookie: "a=b; ".repeat(1000) },
  { "x-long": "y".repeat(20_000) },
  Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x-many-${i}`, "1"])),
  { te: "trailers", trailer: "x" },
  { "content-length": "-1" },
  { "content-length": "1e3" },
  { "content-length": ["1", "2"] },
  { "transfer-encoding": "gzip" },
];

/** Other methods and paths, and hostile headers. */
export function unlistedCalls(plain: RawCall, takesBody: boolean): RawCall[] {
  const bare = { ...plain, isOffRoute: true as const };
  const path = plain.target;
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE"].filter(
    (one) => one !== plain.method,
  );
  const targets = [
    `${path}/`,
    `//${path}`,
    path.toUpperCase(),
    `${path}/..`,
    `${path}%00`,
    `${path}/x/y`,
    `/api${path}`,
    `${path};a=b`,
    path.replace("/", "/%2f"),
    path.replace("/", "/./"),
    `${path}#x`,
    "*",
    "/%",
    "/~node/list",
    "http://evil.example/x",
  ];
  return [
    ...methods.map((method): RawCall => ({ ...bare, what: `the method ${method}`, method })),
    ...targets.map((target): RawCall => ({ ...bare, what: `the path ${JSON.stringify(target).slice(0, 60)}`, target })),
    ...hostileHeaders.map((more): RawCall => ({
      ...bare,
      what: `the header ${JSON.stringify(more).slice(0, 60)}`,
      headers: { ...plain.headers, ...more },
    })),
    ...(!takesBody
      ? ["{}", "x", '{"a":1}', "x".repeat(300_000)].map((body): RawCall => ({
          ...bare,
          what: "a body where none belongs",
          body,
          headers: { "content-type": "application/json", "content-length": String(body.length) },
        }))
      : []),
  ];
}
