/**
 * Requests that bring a file: in a form, or in JSON as a data URI. Either way it lies in a temporary file until it is known who
 * sent it, whether the params are good, and whether this person may; only then its bytes go to the blob store, to a place that media
 * reserved, and media judges them there. What comes to nothing is given up; if that fails too, media's sweeper finds it.
 */
import type { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import type { ActionRef } from "../../../../core/contract/contract.ts";
import { DomainError, Invalid } from "../../../../core/errors.ts";
import { fairQueue } from "../../../../core/resilience/fair-queue.ts";
import type { AdmittedFile, Purpose } from "../../../media/contract.ts";
import { bodyChunks, defaultMaxBytes, parseJson, parseJsonText, refuseDeclaredLarger, type ReceivedBody } from "./body.ts";
import { extractDataUri, dataUriBytes, isDataUri, placeholder } from "./data-uri.ts";
import { formOverheadBytes, isForm, readForm } from "./form.ts";
import { concurrencyLimit } from "./concurrency-limit.ts";
import { spool, type UploadedFile } from "./spool.ts";
import type { InputFields } from "./http-request.ts";

/** A file that comes with a request: in a form (multipart/form-data), or in JSON where a param can hold it. */
export interface Upload<G = InputFields, R = unknown> {
  readonly purpose: Purpose;
  /** The form's field for it, by any of these names. */
  readonly fields: readonly [string, ...string[]];
  /** Of the file itself. */
  readonly maxBytes: number;
  /** There is no request without a file, so it is a form always. */
  readonly isRequired?: true;
  /** The public param that holds it in JSON, as a data URI. */
  readonly dataUri?: string;
  /** Asked before anything of the file is kept; it throws if this person may not. */
  readonly authorize?: { readonly action: ActionRef; readonly input: (params: G) => InputFields };
  /** Whether the result refers to the file; if not given, any result does. */
  readonly isUsed?: (result: R, file: AdmittedFile) => boolean;
}

/** Slow or broken uploads hold a place on the temporary disk as long as a request may last. */
export const maxConcurrentUploads = 100;
const uploadsInProgress = concurrencyLimit({
  name: "uploads",
  total: maxConcurrentUploads,
  perUser: 25,
  refusal: "Too many uploads at once, try again",
});

/** A body with a file in it is in memory as a whole only while it is parsed: one at a time. */
const jsonParseQueue = fairQueue({ name: "json_bodies", concurrency: 1, maxQueued: maxConcurrentUploads, maxWaitMs: 20_000 });

/** The most bytes that such a request may have. */
export const uploadMaxBytes = (request: IncomingMessage, upload: Upload, maxJsonBytes: number): number =>
  isForm(request) ? upload.maxBytes + formOverheadBytes : maxJsonBytes;

/**
 * Reads the request of a row that takes a file.
 * @throws Invalid, DomainError TOO_LARGE, UNSUPPORTED_TYPE  it is not what the row takes
 * @throws Unavailable  too many uploads at once
 */
export async function readUpload(request: IncomingMessage, upload: Upload, maxJsonBytes: number, userId: string): Promise<ReceivedBody> {
  const maxBytes = uploadMaxBytes(request, upload, maxJsonBytes);
  const releaseSlot = uploadsInProgress.acquire(userId);
  try {
    refuseDeclaredLarger(request, maxBytes);
    const received = isForm(request) ? await readFormUpload(request, upload) : await readJsonUpload(request, upload, maxBytes, userId);
    return {
      ...received,
      async release() {
        await received.file?.release();
        releaseSlot();
      },
    };
  } catch (error) {
    releaseSlot();
    throw error;
  }
}

async function readFormUpload(
  request: IncomingMessage,
  { fields, maxBytes, dataUri, isRequired }: Upload,
): Promise<Omit<ReceivedBody, "release">> {
  const { texts, file } = await readForm(request, { fields, maxBytes });
  const failure =
    file === undefined
      ? isRequired === true
        ? fileMissing(fields[0])
        : undefined
      : dataUri !== undefined && dataUri in texts
        ? fileRepeated(dataUri)
        : undefined;
  if (failure !== undefined) {
    await file?.release();
    throw failure;
  }
  return { params: texts, isForm: true, ...(file === undefined ? {} : { file }) };
}

async function readJsonUpload(
  request: IncomingMessage,
  { dataUri, maxBytes, isRequired }: Upload,
  maxJsonBytes: number,
  userId: string,
): Promise<Omit<ReceivedBody, "release">> {
  if (isRequired === true) throw new DomainError("UNSUPPORTED_TYPE", "The body must be multipart/form-data");
  const body = await spool(bodyChunks(request, maxJsonBytes));
  try {
    return await jsonParseQueue.run(userId, async () => {
      const { params, uri } =
        body.size === 0 ? { params: {}, uri: undefined } : parseWithoutDataUri(request, await buffer(body.read()), dataUri);
      if (dataUri === undefined || !isDataUri(uri)) return { params, isForm: false };
      const file: UploadedFile = { ...(await spool(singleChunk(dataUriBytes(uri, dataUri, maxBytes)))), name: dataUri };
      return { params: Object.fromEntries(Object.entries(params).filter(([name]) => name !== dataUri)), isForm: false, file };
    });
  } finally {
    await body.release();
  }
}

/** The params of a JSON body, and the value of the one that may be long. */
function parseWithoutDataUri(request: IncomingMessage, body: Buffer, dataUri = ""): { params: Record<string, unknown>; uri: unknown } {
  const extracted = body.length > defaultMaxBytes ? extractDataUri(body) : undefined;
  const rest = extracted?.rest ?? body;
  const params = rest.length > defaultMaxBytes ? undefined : parseJson(request, rest);
  // What was cut out is something else's value, or there is more beside it.
  if (params === undefined || (extracted !== undefined && params[dataUri] !== placeholder)) {
    throw new DomainError("TOO_LARGE", `The body is larger than ${defaultMaxBytes} bytes without its picture`);
  }
  return { params, uri: extracted === undefined ? params[dataUri] : parseJsonText(extracted.literal) };
}

async function* singleChunk(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield await Promise.resolve(bytes);
}

const fileMissing = (field: string): Invalid => new Invalid("Send a file", [{ field, message: "is required" }]);
const fileRepeated = (field: string): Invalid => new Invalid("Send one file", [{ field, message: "must be given once" }]);
