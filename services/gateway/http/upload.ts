/**
 * Requests that bring a file: in a form, or in JSON as a data URI. Either way it lies in a temporary file until it is known who
 * sent it, whether the params are good, and whether this person may; only then its bytes go to the blob store, to a place that media
 * reserved, and media judges them there. What comes to nothing is given up; if that fails too, media's sweeper finds it.
 */
import type { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import type { CallingOptions, Logger, ServiceBroker } from "moleculer";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import { call } from "../../../core/contract/call.ts";
import { codeOf, DomainError, Invalid } from "../../../core/errors.ts";
import { faultPoint } from "../../../core/fault-points.ts";
import { fairQueue } from "../../../core/resilience/fair-queue.ts";
import { media, rawKey } from "../../media/contract.ts";
import { bodyChunks, defaultMaxBytes, parseJson, parseText, refuseDeclaredLarger, type Received } from "./body.ts";
import { cutDataUri, dataUriBytes, isDataUri, placeholder } from "./data-uri.ts";
import { formOverheadBytes, isForm, readForm } from "./form.ts";
import { places } from "./places.ts";
import { spool, type SentFile } from "./spool.ts";
import type { TakenIn, Upload } from "./table.ts";

/** Slow or broken uploads hold a place on the temporary disk as long as a request may last. */
export const mostUnderWay = 100;
const underWay = places({ name: "uploads", total: mostUnderWay, ofOne: 25, refusal: "Too many uploads at once, try again" });

/** Of a file's name, as it is handed on. */
const longestName = 2000;

/** A body with a file in it is in memory as a whole only while it is parsed: one at a time. */
const parsing = fairQueue({ name: "json_bodies", atOnce: 1, mostWaiting: mostUnderWay, waitMs: 20_000 });

/** The most bytes that such a request may have. */
export const mostBytesOf = (request: IncomingMessage, upload: Upload, maxJsonBytes: number): number =>
  isForm(request) ? upload.maxBytes + formOverheadBytes : maxJsonBytes;

/**
 * Reads the request of a row that takes a file.
 * @throws Invalid, DomainError TOO_LARGE, UNSUPPORTED_TYPE  it is not what the row takes
 * @throws Unavailable  too many uploads at once
 */
export async function receiveUpload(request: IncomingMessage, upload: Upload, maxJsonBytes: number, userId: string): Promise<Received> {
  const maxBytes = mostBytesOf(request, upload, maxJsonBytes);
  const leave = underWay.enter(userId);
  try {
    refuseDeclaredLarger(request, maxBytes);
    const received = isForm(request) ? await fromForm(request, upload) : await fromJson(request, upload, maxBytes, userId);
    return {
      ...received,
      async release() {
        await received.file?.release();
        leave();
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

async function fromForm(request: IncomingMessage, { fields, maxBytes, dataUri, isRequired }: Upload): Promise<Omit<Received, "release">> {
  const { texts, file } = await readForm(request, { fields, maxBytes });
  const fault =
    file === undefined
      ? isRequired === true
        ? missing(fields[0])
        : undefined
      : dataUri !== undefined && dataUri in texts
        ? twice(dataUri)
        : undefined;
  if (fault !== undefined) {
    await file?.release();
    throw fault;
  }
  return { params: texts, isForm: true, ...(file === undefined ? {} : { file }) };
}

async function fromJson(
  request: IncomingMessage,
  { dataUri, maxBytes, isRequired }: Upload,
  maxJsonBytes: number,
  userId: string,
): Promise<Omit<Received, "release">> {
  if (isRequired === true) throw new DomainError("UNSUPPORTED_TYPE", "The body must be multipart/form-data");
  const body = await spool(bodyChunks(request, maxJsonBytes));
  try {
    return await parsing.run(userId, async () => {
      const { params, uri } = body.size === 0 ? { params: {}, uri: undefined } : parsedApart(request, await buffer(body.read()), dataUri);
      if (dataUri === undefined || !isDataUri(uri)) return { params, isForm: false };
      const file: SentFile = { ...(await spool(once(dataUriBytes(uri, dataUri, maxBytes)))), name: dataUri };
      return { params: Object.fromEntries(Object.entries(params).filter(([name]) => name !== dataUri)), isForm: false, file };
    });
  } finally {
    await body.release();
  }
}

/** The params of a JSON body, and the value of the one that may be long. */
function parsedApart(request: IncomingMessage, body: Buffer, dataUri = ""): { params: Record<string, unknown>; uri: unknown } {
  const cut = body.length > defaultMaxBytes ? cutDataUri(body) : undefined;
  const rest = cut?.rest ?? body;
  const params = rest.length > defaultMaxBytes ? undefined : parseJson(request, rest);
  // What was cut out is something else's value, or there is more beside it.
  if (params === undefined || (cut !== undefined && params[dataUri] !== placeholder)) {
    throw new DomainError("TOO_LARGE", `The body is larger than ${defaultMaxBytes} bytes without its picture`);
  }
  return { params, uri: cut === undefined ? params[dataUri] : parseText(cut.literal) };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield await Promise.resolve(bytes);
}

const missing = (field: string): Invalid => new Invalid("Send a file", [{ field, message: "is required" }]);
const twice = (field: string): Invalid => new Invalid("Send one file", [{ field, message: "must be given once" }]);

/** What taking in needs of its gateway. */
interface Around {
  readonly broker: ServiceBroker;
  readonly blobs: Blobs;
  readonly log: Logger;
}

/** A file with what it came with. */
interface Sending {
  readonly file: SentFile;
  /** As validated. */
  readonly params: Record<string, unknown>;
  /** For one call: Moleculer writes an action's timeout into them. */
  readonly options: () => CallingOptions;
}

/**
 * Takes a file in, for someone who may send it, and lets `use` refer to it.
 * @throws DomainError  they may not, or the file won't do, or what `use` throws; nothing of the file is kept then
 */
export async function withFile<T>(around: Around, upload: Upload, sending: Sending, use: (file: TakenIn) => Promise<T>): Promise<T> {
  const taken = await takeIn(around, upload, sending);
  faultPoint("media.taken");
  try {
    const result = await use(taken);
    if (upload.isUsed?.(result, taken.file) === false) giveUp(around, taken.file.fileId, sending.options);
    return result;
  } catch (error) {
    if (isRefusal(error)) giveUp(around, taken.file.fileId, sending.options);
    throw error;
  }
}

async function takeIn(around: Around, { purpose, authorize }: Upload, { file, params, options }: Sending): Promise<TakenIn> {
  const { broker, blobs } = around;
  const { name, size, sha256, read } = file;
  if (authorize !== undefined) await call(broker, authorize.action, authorize.input(params), options());
  const { fileId } = await call(broker, media.reserve, { purpose }, options());
  try {
    await blobs.write(rawKey(fileId), read(), size);
    faultPoint("media.written");
    return { file: await call(broker, media.admit, { fileId, name: name.slice(0, longestName), size }, options()), sha256 };
  } catch (error) {
    giveUp(around, fileId, options);
    throw error;
  }
}

/** Lets go of a file that nothing refers to; nobody waits for it. */
function giveUp({ broker, log }: Around, fileId: string, options: () => CallingOptions): void {
  call(broker, media.giveUp, { fileId }, options()).catch((error: unknown) =>
    log.warn(`an unused upload is left to the sweeper: ${(error as Error).message}`),
  );
}

/** Whether a call was refused for good. One that failed otherwise may still be carried out, and refer to the file. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && code !== "UNAVAILABLE" && code !== "INTERNAL";
}
