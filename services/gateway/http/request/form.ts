/** Reads forms (multipart/form-data) of texts and one file, in any order. Texts stay in memory; the file is spooled to disk. */
import { isUtf8 } from "node:buffer";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { DomainError, Invalid } from "../../../../core/errors.ts";
import { bodyChunks } from "./body.ts";
import { spool, type UploadedFile } from "./spool.ts";

export interface ParsedForm {
  readonly texts: Record<string, unknown>;
  readonly file?: UploadedFile;
}

export interface FormLimits {
  /** The possible names of the file's field. */
  readonly fields: readonly string[];
  readonly maxBytes: number;
}

/** The longest text of any action has 10,000 characters. */
const maxTextBytes = 48 * 1024;
const limits = { parts: 24, headerPairs: 16, headerSize: 8 * 1024 };
const maxFieldNameLength = 100;

/** Allowed in addition to the file. */
export const formOverheadBytes = 128 * 1024;

export const isForm = ({ headers }: IncomingMessage): boolean => /^multipart\/form-data(?:;|$)/i.test(headers["content-type"] ?? "");

/**
 * Reads a form. After an error the rest of the body is discarded, so that the client reads the response.
 * @throws Invalid  a malformed form, a repeated field, a file in another field, or an empty file
 * @throws DomainError TOO_LARGE  the file, or the whole form
 */
export async function readForm(request: IncomingMessage, { fields, maxBytes }: FormLimits): Promise<ParsedForm> {
  const parser = parserOf(request, maxBytes);
  const parts: { readonly stream: Readable; readonly done: Promise<void> }[] = [];
  const texts = new Map<string, string>();
  let hasFile = false;
  let file: UploadedFile | undefined;

  async function readPart(field: string | undefined, stream: BusboyFileStream, name: string | undefined): Promise<void> {
    if (field === undefined) throw new Invalid("A part of the form has no name");
    if (name === undefined) {
      if (texts.has(field)) throw fieldRepeated(field);
      texts.set(field, "");
      texts.set(field, await textOf(field, stream));
      return;
    }
    if (!fields.includes(field)) throw fieldInvalid(field, "takes no file");
    // The next part may start before the file is on disk.
    if (hasFile) throw new Invalid("Send one file", [{ field, message: "must be one file" }]);
    hasFile = true;
    const spooled = await spool(stream);
    file = { ...spooled, name: decodedFileName(name) };
    if (stream.truncated) throw new DomainError("TOO_LARGE", `The file is larger than ${maxBytes} bytes`);
    if (spooled.size === 0) throw fieldInvalid(field, "is empty");
  }

  const { promise: failure, reject } = Promise.withResolvers<never>();
  const body = Readable.from(bodyChunks(request, maxBytes + formOverheadBytes), { objectMode: false });
  body.once("error", reject);
  parser.on("file", (field: string | undefined, stream: BusboyFileStream, name: string | undefined) => {
    // Every part is awaited below; an error before that must not crash the process.
    stream.on("error", () => undefined);
    const done = readPart(field, stream, name);
    done.catch(reject);
    parts.push({ stream, done });
  });
  parser.once("partsLimit", () => reject(new Invalid("The form has too many parts")));
  parser.on("error", () => reject(new Invalid("The form is malformed")));
  const allParts = once(parser, "finish").then(() => Promise.all(parts.map(({ done }) => done)));
  allParts.catch(() => undefined);
  body.pipe(parser);
  try {
    await Promise.race([allParts, failure]);
    return { texts: Object.fromEntries(texts), ...(file === undefined ? {} : { file }) };
  } catch (error) {
    body.unpipe(parser);
    body.destroy();
    for (const { stream } of parts) stream.destroy();
    await Promise.allSettled(parts.map(({ done }) => done));
    await file?.release();
    throw error;
  }
}

/** Reads every part as a stream of bytes: busboy would replace invalid bytes when it decodes texts. */
function parserOf({ headers }: IncomingMessage, maxBytes: number): BusboyInstance {
  try {
    const declared = { "content-type": headers["content-type"] ?? "" };
    return new Busboy({ headers: declared, limits: { ...limits, fileSize: maxBytes }, isPartAFile: () => true });
  } catch {
    throw new Invalid("The form has no boundary");
  }
}

async function textOf(field: string, stream: BusboyFileStream): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxTextBytes) throw fieldInvalid(field, "is too long");
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (!isUtf8(bytes)) throw fieldInvalid(field, "is not valid UTF-8");
  return bytes.toString();
}

function fieldInvalid(field: string, complaint: string): Invalid {
  const name = field.slice(0, maxFieldNameLength);
  return new Invalid(`${name} ${complaint}`, [{ field: name, message: complaint }]);
}
const fieldRepeated = (field: string): Invalid => fieldInvalid(field, "must be given once");

/** Browsers escape quotes in file names this way (HTML, "multipart/form-data encoding algorithm"). */
const decodedFileName = (name: string): string => name.replaceAll("%22", '"');
