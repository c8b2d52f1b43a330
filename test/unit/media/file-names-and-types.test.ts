/** Tests how media and the gateway interpret file names, types and ranges. */
import { Readable } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { dispositionOf } from "../../../services/gateway/http/response/disposition.ts";
import { extractDataUri, dataUriBytes, placeholder } from "../../../services/gateway/http/request/data-uri.ts";
import { matchesEtag } from "../../../services/gateway/http/response/etag.ts";
import { rangeOf } from "../../../services/gateway/http/response/ranges.ts";
import { withExtension, safeName } from "../../../services/media/lifecycle/file-names.ts";
import { detectType, textOrBinaryType } from "../../../services/media/file-types.ts";

describe("a file's name", () => {
  test.each([
    ["a\ud800b.txt", "ab.txt"],
    ["\ufeffa.txt", "a.txt"],
    ["a\u2028b\r\n.txt", "ab.txt"],
    ["...", "file"],
    ["/", "file"],
    ["a/", "file"],
    ["👨‍👩‍👧.png", "👨‍👩‍👧.png"],
    ["نامه‌ها.pdf", "نامه‌ها.pdf"],
    [".htaccess", ".htaccess"],
    [`${"😀".repeat(150)}.png`, `${"😀".repeat(98)}.png`],
  ])("%j becomes %j", (sent, kept) => {
    expect(safeName(sent)).toBe(kept);
    expect(kept.length).toBeLessThanOrEqual(200);
  });
  test("changes its extension with its format", () => {
    expect(withExtension("sea.avif", "webp")).toBe("sea.webp");
    expect(withExtension("sea", "webp")).toBe("sea.webp");
    expect(withExtension("x".repeat(200), "webp")).toHaveLength(200);
  });
  test("is safe in a header, whatever it contains", () => {
    expect(dispositionOf({ mimeType: "image/png", name: `a"b\\c%41é*'().png` })).toBe(
      `inline; filename="a_b_c_41_*'().png"; filename*=UTF-8''a%22b%5Cc%2541%C3%A9%2A%27%28%29.png`,
    );
    expect(dispositionOf({ mimeType: "image/svg+xml", name: "\ud800" })).toBe(`attachment; filename="_"; filename*=UTF-8''%EF%BF%BD`);
  });
});

describe("a type", () => {
  const unknown = "application/octet-stream";
  const pieces = (...parts: (string | Buffer)[]) => Readable.from(parts.map((part) => Buffer.from(part as string)));
  test("is what the first bytes show", async () => {
    expect(await detectType(Buffer.from("%PDF-1.7"))).toBe("application/pdf");
    expect(await detectType(Buffer.from("<?xml version='1.0'?><svg/>"))).toBe(unknown);
    expect(await detectType(Buffer.from("just text"))).toBeUndefined();
    expect(await detectType(Buffer.from("\x89PNG\r\n\x1a\nnonsense", "latin1"))).toBe("image/png");
    expect(await detectType(Buffer.alloc(0))).toBeUndefined();
  });
  test("is text only if all bytes are text and there is no markup", async () => {
    const euro = Buffer.from("€");
    expect(await textOrBinaryType(pieces("a text", " in pieces\n"))).toBe("text/plain");
    expect(await textOrBinaryType(pieces(euro.subarray(0, 1), euro.subarray(1)))).toBe("text/plain");
    expect(await textOrBinaryType(pieces(Buffer.concat([Buffer.from("a"), euro.subarray(0, 2)]), euro.subarray(2)))).toBe("text/plain");
    expect(await textOrBinaryType(pieces("a", euro.subarray(0, 2)))).toBe(unknown);
    expect(await textOrBinaryType(pieces("a", Buffer.from([0]), "b"))).toBe(unknown);
    expect(await textOrBinaryType(pieces(Buffer.from([0xff]), "b"))).toBe(unknown);
    expect(await textOrBinaryType(pieces(" \n<!doctype html>"))).toBe(unknown);
  });
});

describe("a range", () => {
  const of = (range: string, condition?: string) =>
    rangeOf({ range, ...(condition === undefined ? {} : { "if-range": condition }) }, 10, '"a"');
  test.each([
    ["bytes=0-0", { start: 0, end: 0 }],
    ["bytes=9-", { start: 9, end: 9 }],
    ["bytes=-1", { start: 9, end: 9 }],
    ["BYTES=1-2", { start: 1, end: 2 }],
    ["bytes=0-99999999999999999999", { start: 0, end: 9 }],
    ["bytes=10-", null],
    ["bytes=99999999999999999999-", null],
    ["bytes=-0", null],
    ["bytes=-", undefined],
    ["bytes=", undefined],
    ["bytes=1-0", undefined],
    ["bytes=0-1,2-3", undefined],
    ["bytes=a-b", undefined],
  ])("%s of ten bytes is %j", (range, expected) => expect(of(range)).toEqual(expected));
  test("applies only while the file is the expected version", () => {
    expect(of("bytes=1-2", '"a"')).toEqual({ start: 1, end: 2 });
    for (const other of ['"b"', 'W/"a"', "Sat, 21 Nov 2026 08:00:00 GMT"]) expect(of("bytes=1-2", other)).toBeUndefined();
  });
});

test("a client that names a version has it", () => {
  for (const header of ["*", '"a"', 'W/"a"', '"b", "a"']) expect(matchesEtag(header, '"a"')).toBe(true);
  for (const header of [undefined, "", '"b"', "a"]) expect(matchesEtag(header, '"a"')).toBe(false);
});

test("a data URI must be base64", () => {
  const bytes = (uri: string) => dataUriBytes(uri, "picture", 4).toString();
  expect(bytes("data:image/png;base64,YWJj")).toBe("abc");
  expect(bytes("data:;base64,YQ==")).toBe("a");
  for (const bad of ["data:,abc", "data:image/png;base64,", "data:image/png;base64,YQ", "data:image/png;base64,Y Q=", "data:base64"]) {
    expect(() => bytes(bad)).toThrow(expect.objectContaining({ type: "VALIDATION" }));
  }
  expect(() => bytes("data:image/png;base64,YWJjZGU=")).toThrow(expect.objectContaining({ type: "TOO_LARGE" }));
});

test("the longest data URI is cut out of a JSON text; a text without one stays unchanged", () => {
  const cut = (json: string) => {
    const { rest, literal } = extractDataUri(Buffer.from(json))!;
    return { rest: JSON.parse(rest.toString()) as unknown, literal: JSON.parse(literal) as unknown };
  };
  const json = (uri: string) => `{ "about": "data: é \\"data:", "picture" : ${uri}, "age": 3 }`;
  const rest = { about: 'data: é "data:', picture: placeholder, age: 3 };
  expect(cut(json('"data:image/png;base64,QUJDREVGRw=="'))).toEqual({ rest, literal: "data:image/png;base64,QUJDREVGRw==" });
  // Some write a slash with a backslash before it.
  expect(cut(json('"DATA:image\\/png;base64,QUJDREV\\/"'))).toEqual({ rest, literal: "DATA:image/png;base64,QUJDREV/" });
  for (const none of ["{}", '{"a":"x"}', '{"a":"data:never ending', ""]) expect(extractDataUri(Buffer.from(none))).toBeUndefined();
});
