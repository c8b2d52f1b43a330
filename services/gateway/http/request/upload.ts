/**
 * Reads requests that upload a file, in a form or as a data URI in JSON. The file stays in a temporary file until the params are
 * validated and the user is known to be allowed; `admit-upload.ts` then stores it.
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

/** How a route takes a file: in a form (multipart/form-data), or in JSON if one of its params can contain a data URI. */
export interface Upload<G = InputFields, R = unknown> {
  readonly purpose: Purpose;
  /** The possible names of the form's field; the first is documented as its name. */
  readonly fields: readonly [string, ...string[]];
  /** Of the file. */
  readonly maxBytes: number;
  /** The file can't be left out, so the request is always a form. */
  readonly isRequired?: true;
  /** The public param that contains the data URI in JSON. */
  readonly dataUri?: string;
  /** Called before the file is stored; throws if the user may not upload it. */
  readonly authorize?: { readonly action: ActionRef; readonly input: (params: G) => InputFields };
  /** Whether the result refers to the file; if not given, every result does. */
  readonly isUsed?: (result: R, file: AdmittedFile) => boolean;
}

/** A slow or stalled upload occupies temporary disk space until its request times out. */
export const maxConcurrentUploads = 100;
const uploadsInProgress = concurrencyLimit({
  name: "uploads",
  total: maxConcurrentUploads,
  perUser: 25,
  refusal: "Too many uploads at once, try again",
});

/** A JSON body with a file is read into memory to be parsed, so only one at a time. */
const jsonParseQueue = fairQueue({ name: "json_bodies", concurrency: 1, maxQueued: maxConcurrentUploads, maxWaitMs: 20_000 });

/** The maximum size of a route's request with a file. */
export const uploadMaxBytes = (request: IncomingMessage, upload: Upload, maxJsonBytes: number): number =>
  isForm(request) ? upload.maxBytes + formOverheadBytes : maxJsonBytes;

/**
 * Reads the body of a route that takes a file.
 * @throws Invalid, DomainError TOO_LARGE, UNSUPPORTED_TYPE  the body is not what the route takes
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

/** Parses a JSON body; the param that can contain a data URI is returned separately. */
function parseWithoutDataUri(request: IncomingMessage, body: Buffer, dataUri = ""): { params: Record<string, unknown>; uri: unknown } {
  const extracted = body.length > defaultMaxBytes ? extractDataUri(body) : undefined;
  const rest = extracted?.rest ?? body;
  const params = rest.length > defaultMaxBytes ? undefined : parseJson(request, rest);
  // The extracted URI belongs to another param, or the rest is too large.
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
