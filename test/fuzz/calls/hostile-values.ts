/** Values, texts and keys that are likely to break a program that does not validate its input. */
import type { InvalidPayload } from "./invalid-payloads.ts";

/** JSON nested to this depth. */
const nested = (depth: number, open: string, close: string): unknown => JSON.parse(`${open.repeat(depth)}1${close.repeat(depth)}`);

/** Values that are wrong for almost every field. */
export const wrongKinds: readonly InvalidPayload[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 5e-324, 2 ** 53, -(2 ** 53), 2 ** 31, 2 ** 63].map((value) => ({ what: String(value), value })),
  ...["", " ", "\t\r\n", "null", "undefined", "NaN", "true", "0", "-1", "1e3", "0x10", "1,2", "[object Object]"].map((value) => ({
    what: `the text ${JSON.stringify(value)}`,
    value,
  })),
  { what: "an empty list", value: [] },
  { what: "a list in a list", value: [[]] },
  { what: "a list of nothing", value: [null, null] },
  { what: "an empty object", value: {} },
  ...[
    { $ne: "" },
    { $gt: "" },
    { $regex: ".*" },
    { $where: "while(true){}" },
    { $in: [] },
    { $exists: true },
    { $expr: { $eq: [1, 1] } },
    { $set: {} },
  ].map((value) => ({ what: `the operator ${Object.keys(value)[0]!}`, value })),
  { what: "a prototype", value: JSON.parse('{"__proto__": {"admin": true}}') },
  { what: "a constructor", value: { constructor: { prototype: { admin: true } } } },
  { what: "an object that can't be printed", value: { toString: 1, valueOf: 1 } },
  { what: "a list that can't be printed", value: [{ toString: 1, valueOf: 1 }] },
  { what: "a false length", value: { length: 1e9, 0: "x" } },
  { what: "a false promise", value: { then: 1, catch: 1 } },
  { what: "a false id", value: { _bsontype: "ObjectId", id: "0123456789ab" } },
  { what: "false bytes", value: { type: "Buffer", data: [1, 2, 3] } },
  { what: "a false attachment", value: { _placeholder: true, num: 7 } },
  { what: "objects nested deep", value: nested(2000, '{"a":', "}") },
  { what: "lists nested deep", value: nested(4000, "[", "]") },
  { what: "a long list", value: Array.from({ length: 5000 }, (_, i) => i) },
  { what: "a long text", value: "x".repeat(50_000) },
];

const texts: Readonly<Record<string, readonly string[]>> = {
  "half a character": ["\ud800", "\udc00", "a\ud83d", "\udc4d\ud83d", "Half \ud800 of it"],
  "right to left": ["\u202eevil", "\u2066\u2069", "שלום", "\u061c"],
  "zero width": ["\u200b", "\u200d\u200d", "\ufeff", "a\u200bb", "\u2060", "\u3164", "\u00ad"],
  "a control character": ["\u0000", "a\u0000b", "\u0007", "\u001b[31m", "\u007f", "\u0085", "\r\nSet-Cookie: a=b"],
  "odd Unicode": [
    "\uffff",
    "\ue000",
    "e\u0301".repeat(50),
    `a${"\u0300".repeat(500)}`,
    "İ",
    "ﷺ".repeat(100),
    "１２３",
    "\u2028",
    "\u{10ffff}",
    "👩‍👩‍👧‍👦",
    "👍🏽".repeat(20),
  ],
  "a path": ["../../etc/passwd", "/etc/passwd", "..\\..\\x", "file:///etc/passwd", "http://169.254.169.254/", "%00", "%2e%2e%2f", "."],
  "other languages": [
    "<script>alert(1)</script>",
    "'; DROP TABLE chat_chats; --",
    '" OR ""="',
    "${7*7}",
    "{{7*7}}",
    "%s%n%x",
    "javascript:alert(1)",
    "=1+1",
    "*",
    "data:image/png;base64,",
    "data:image/png;base64,AAAA",
    "data:text/html,x",
  ],
  "a malformed id": [
    "x",
    "0123456789ABCDEF01234567",
    "0123456789abcdef0123456",
    "0123456789abcdef012345678",
    "0123456789abcdef0123456\n",
    "０123456789abcdef01234567",
  ],
  "an id that does not exist": ["0123456789abcdef01234567", "0".repeat(24), "f".repeat(24)],
  "a JavaScript property": ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "length"],
};
export const hostileTexts: readonly InvalidPayload[] = Object.entries(texts).flatMap(([what, values]) =>
  values.map((value) => ({ what, value })),
);

/** Keys that no payload has. */
export const keys: readonly string[] = [
  ...["surprise", "", " ", "__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "then", "length", "toJSON"],
  ...[
    "$where",
    "$ne",
    "$set",
    "a.b",
    "a[b]",
    "0",
    "_id",
    "id",
    "userId",
    "senderId",
    "user",
    "meta",
    "role",
    "admins",
    "isAdmin",
    "n",
    "seq",
  ],
  ...["createdAt", "leftSeq", "\u0000", "\ud800", "\u202ekey", "k".repeat(5000), "👍", "../x", "%00", "\r\nx"],
];
