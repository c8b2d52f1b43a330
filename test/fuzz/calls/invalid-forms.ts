/** Invalid multipart forms for routes that accept a file: framing, parts, fields, and the file itself. */
import type { JsonSchema } from "../../../services/gateway/docs/json-schema.ts";
import { file, formBytes, formType, text, type UploadPart } from "../../support/files/uploads.ts";
import { bomb, png } from "./callers.ts";
import { keys } from "./hostile-values.ts";
import { replacements, shuffled, type RandomSource, type PayloadFields } from "./invalid-payloads.ts";

export interface InvalidForm {
  readonly what: string;
  readonly body: Buffer;
  readonly type: string;
  readonly isCutOff: boolean;
}

const megabyte = 1024 * 1024;
const form = (what: string, parts: readonly UploadPart[]): InvalidForm => ({
  what,
  body: formBytes(parts),
  type: formType,
  isCutOff: false,
});

/** @returns up to `count` forms, in random order */
export function invalidForms(schema: JsonSchema, right: PayloadFields, count: number, random: RandomSource): InvalidForm[] {
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, JsonSchema>);
  const fileField = properties.find(([, one]) => one["contentMediaType"] !== undefined)?.[0] ?? "file";
  const good = file(png, "p.png", "image/png", fileField);
  const texts = Object.entries(right).flatMap(([name, value]) =>
    name === fileField || typeof value !== "string" ? [] : [text(name, value)],
  );
  const fields = replacements(schema, right).flatMap(({ what, value }): InvalidForm[] => {
    const entries = Object.entries(value as PayloadFields).filter(([name]) => name !== fileField);
    const parts = entries.map(([name, one]) => text(name, typeof one === "string" ? one : JSON.stringify(one)));
    return what.startsWith(`${fileField}:`) ? [] : [form(what, [...parts, good])];
  });
  const all = [...framingChanges([...texts, good]), ...partChanges(texts, good), ...files(texts, fileField), ...fields];
  return shuffled(random, all).slice(0, count);
}

/** Invalid content types, boundaries and bodies. */
function framingChanges(parts: readonly UploadPart[]): InvalidForm[] {
  const body = formBytes(parts);
  const types = [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=x",
    `${formType}x`,
    'multipart/form-data; boundary="',
    `multipart/form-data; boundary=${"b".repeat(300)}`,
    `multipart/mixed; ${formType.split("; ")[1]!}`,
    "multipart/form-data; boundary=\u00e4",
  ];
  const pieces: [string, Buffer][] = [
    ["empty", Buffer.alloc(0)],
    ["no end", body.subarray(0, -8)],
    ["half of it", body.subarray(0, body.length / 2)],
    ["only its first line", body.subarray(0, 30)],
    ["no boundary in it", Buffer.from("hello")],
    ["line feeds alone", Buffer.from(body.toString("latin1").replaceAll("\r\n", "\n"), "latin1")],
    ["something after its end", Buffer.concat([body, body])],
    ["something before it", Buffer.concat([Buffer.from("preamble\r\n"), body])],
    ["only boundaries", Buffer.from(body.toString("latin1").split("\r\n")[0]!.concat("\r\n").repeat(1000))],
    ["6.5 MB of nothing", Buffer.alloc(6.5 * megabyte)],
  ];
  return [
    ...types.map((type) => ({ what: `the type ${type.slice(0, 50)}`, body, type, isCutOff: false })),
    ...pieces.map(([what, piece]) => ({ what, body: piece, type: formType, isCutOff: false })),
    { what: "breaks off in its first part", body: body.subarray(0, 80), type: formType, isCutOff: true },
    { what: "breaks off in its file", body: body.subarray(0, -60), type: formType, isCutOff: true },
  ];
}

/** Missing, repeated, additional and misnamed parts. */
function partChanges(texts: readonly UploadPart[], good: UploadPart): InvalidForm[] {
  const headed = (header: string) => ({
    what: `the header ${header.slice(0, 50)}`,
    body: Buffer.from(
      formBytes([...texts, good])
        .toString("latin1")
        .replace("Content-Disposition: form-data;", header),
      "latin1",
    ),
    type: formType,
    isCutOff: false,
  });
  return [
    form("no file", texts),
    form("no fields", [good]),
    form("no parts", []),
    form("two files", [...texts, good, good]),
    form(
      "a file where a text belongs",
      texts.map(({ field, value }) => file(value, "x.txt", "text/plain", field)),
    ),
    form("a text where the file belongs", [...texts, text(good.field, "bytes")]),
    form("each field twice", [...texts, ...texts, good]),
    form("30 parts", [...texts, good, ...Array.from({ length: 30 }, (_, i) => text(`f${i}`, "x"))]),
    form(
      "2,000 parts",
      Array.from({ length: 2000 }, () => text("text", "x")),
    ),
    form("a text of 60 KB", [...texts, text("more", "x".repeat(60_000)), good]),
    form("a text that is not UTF-8", [
      ...texts.slice(1),
      { field: texts[0]?.field ?? "text", value: Buffer.from([0xff, 0xfe, 0x41]) },
      good,
    ]),
    ...keys.map((key) => form(`and ${JSON.stringify(key).slice(0, 40)}`, [...texts, text(key.replaceAll('"', ""), "1"), good])),
    ...keys.map((key) => form(`the file as ${JSON.stringify(key).slice(0, 40)}`, [...texts, { ...good, field: key.replaceAll('"', "") }])),
    ...[
      "Content-Disposition: form-data",
      "Content-Disposition: attachment;",
      "Content-Disposition:",
      "X: y;",
      `X: ${"y".repeat(9000)};`,
      'Content-Disposition: form-data; name="a"; name="b";',
      "Content-Disposition: form-data; name*=utf-8''%ff;",
      "Content-Transfer-Encoding: base64\r\nContent-Disposition: form-data;",
    ].map(headed),
  ];
}

/** Invalid contents, names and types of the file. */
function files(texts: readonly UploadPart[], field: string): InvalidForm[] {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="file:///etc/passwd"/></svg>';
  const contents: [string, string | Buffer][] = [
    ["no bytes", ""],
    ["a byte too many", Buffer.alloc(5 * megabyte + 1)],
    ["a bomb", bomb],
    ["half a picture", png.subarray(0, 40)],
    ["only a signature", png.subarray(0, 8)],
    ["a picture that goes on", Buffer.concat([png, Buffer.alloc(1000)])],
    ["an SVG", svg],
    ["HTML", "<script>alert(1)</script>"],
    ["a JPEG's beginning", Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16])],
    ["a GIF without frames", Buffer.from("GIF89a\u0001\u0000\u0001\u0000", "latin1")],
    ["a WebP without chunks", Buffer.from("RIFF\u0004\u0000\u0000\u0000WEBP", "latin1")],
    ["a ZIP's beginning", Buffer.from("PK\u0003\u0004", "latin1")],
  ];
  const names = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "C:\\x\\y.png",
    "x".repeat(3000),
    "\u0000.png",
    "\u202egnp.exe",
    "a\ud83d.png",
    "%22%00",
    "CON",
    "x.png\u0000.exe",
    "\u200b",
    ".htaccess",
    "a;b=c",
    "é".repeat(300),
  ];
  const types = ["", "image/svg+xml", "text/html", "image/png; charset=x", "x", "x".repeat(5000), "\u0000"];
  return [
    ...contents.map(([what, bytes]) => form(what, [...texts, file(bytes, "p.png", "image/png", field)])),
    ...names.map((name) => form(`the file's name ${JSON.stringify(name).slice(0, 40)}`, [...texts, file(png, name, "image/png", field)])),
    ...types.map((type) => form(`the file's type ${JSON.stringify(type).slice(0, 40)}`, [...texts, file(png, "p.png", type, field)])),
  ];
}
