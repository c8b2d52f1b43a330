/**
 * Stores blobs at Cloudinary through its SDK, as raw files of type "authenticated". Cloudinary delivers these to signed URLs only, and the
 * URLs never leave the server. After a replacement its CDN may return the old bytes for some minutes, so a key should be written once.
 */
import { Agent } from "node:https";
import { Readable } from "node:stream";
import { v2 as cloudinary } from "cloudinary";
import type { Logger } from "moleculer";
import type { CloudinaryAccount } from "../config/parsers.ts";
import { StartError } from "../errors.ts";
import type { Blobs, ByteRange } from "./blobs.ts";
import { checkedBlobs, promisified } from "./adapter.ts";

/** The SDK accepts an agent here, but its types don't include it. */
const destroy: (publicId: string, options: object) => Promise<unknown> = cloudinary.uploader.destroy;

const list: (options: object) => Promise<unknown> = cloudinary.api.resources;

/** A page of the list of files. */
interface ListedPage {
  readonly resources: readonly { readonly public_id: string }[];
  readonly next_cursor?: string;
}

/** Default timeout for an answer, and for silence during a transfer. */
const defaultIdleTimeoutMs = 15_000;
/** How often to check whether Cloudinary is back. Its free plan allows 500 such calls an hour. */
const probeEveryMs = 30_000;

/**
 * Opens the storage. An unavailable Cloudinary does not delay the start.
 * @param folder  folder of the files, `parley/<mesh>`
 * @throws StartError  Cloudinary rejects the key or the secret
 */
export async function openCloudinaryBlobs(
  account: CloudinaryAccount,
  folder: string,
  { log, idleTimeoutMs = defaultIdleTimeoutMs }: { log: Pick<Logger, "warn">; idleTimeoutMs?: number },
): Promise<Blobs> {
  // Passed with each call: the SDK's own configuration is global to the process.
  const access = {
    cloud_name: account.cloud,
    api_key: account.key,
    api_secret: account.secret,
    ...(account.apiUrl !== undefined && { upload_prefix: account.apiUrl }),
    ...(account.deliveryHost !== undefined && { secure_distribution: account.deliveryHost }),
  };
  const kind = { resource_type: "raw", type: "authenticated" } as const;
  const listing = { ...kind, prefix: `${folder}/`, max_results: 500 };
  const publicId = (key: string): string => `${folder}/${key}`;
  const signedUrl = (key: string): string =>
    cloudinary.url(publicId(key), { ...access, ...kind, sign_url: true, long_url_signature: true, secure: true, urlAnalytics: false });

  const answerOf = <T>(call: (agent: Agent) => Promise<T>): Promise<T> => answerWithin(idleTimeoutMs, call);
  const withTimeout = <T>(abort: AbortController, work: Promise<T>): Promise<T> => withAbortTimeout(idleTimeoutMs, abort, work);

  const ping = () => answerOf((agent) => cloudinary.api.ping({ ...access, agent }));
  let probing: NodeJS.Timeout | undefined;
  const markAvailable = (): void => {
    clearInterval(probing);
    probing = undefined;
  };
  const markUnavailable = (): void => {
    probing ??= setInterval(() => void ping().then(markAvailable, () => undefined), probeEveryMs).unref();
  };
  const tracked = async <T>(call: Promise<T>): Promise<T> => {
    try {
      const answer = await call;
      markAvailable();
      return answer;
    } catch (error) {
      markUnavailable();
      throw error;
    }
  };
  await tracked(ping()).catch((error: unknown) => {
    if (error instanceof CloudinaryError && error.status === 401)
      throw new StartError("CLOUDINARY_URL: Cloudinary rejected the key or the secret");
    log.warn(`Cloudinary can't be reached, so media is unavailable for now: ${(error as Error).message}`);
  });

  /** Returns the response's status and the bytes of its body that are in the range. */
  async function fetchBytes(key: string, range: ByteRange | undefined): Promise<{ status: number; bytes: Readable }> {
    const abort = new AbortController();
    // A range of a compressed response would contain other bytes.
    const headers = { "accept-encoding": "identity", ...(range && { range: `bytes=${range.start}-${range.end}` }) };
    const { status, body } = await withTimeout(abort, fetch(signedUrl(key), { headers, signal: abort.signal }));
    const first = status === 206 && range ? range.start : 0;
    const chunks = body === null ? [] : bytesInRange(range ?? { start: 0, end: Infinity }, first, body, (read) => withTimeout(abort, read));
    const bytes = Readable.from(chunks, { objectMode: false });
    bytes.once("close", () => abort.abort());
    return { status, bytes };
  }

  return checkedBlobs(
    {
      async write(key, chunks) {
        const agent = new Agent();
        const { promise: answer, resolve, reject } = Promise.withResolvers<unknown>();
        answer.catch(() => undefined); // It may reject before it is awaited.
        const options = { ...access, ...kind, public_id: publicId(key), overwrite: true, invalidate: true, timeout: idleTimeoutMs, agent };
        const upload = cloudinary.uploader.upload_stream(options, (error, result) =>
          error ? reject(cloudinaryErrorOf(error)) : resolve(result),
        );
        upload.on("error", () => undefined); // The callbacks report the error.
        try {
          // An answer before the end of the upload is an error, and then the remaining chunks are never accepted.
          for await (const chunk of chunks) await Promise.race([promisified((back) => upload.write(chunk, back)), answer]);
          upload.end();
          await tracked(answer);
        } finally {
          // Aborts an incomplete upload, of which Cloudinary then keeps nothing. The SDK offers no other way.
          agent.destroy();
        }
      },
      async read(key, range) {
        const { status, bytes } = await tracked(fetchBytes(key, range));
        if (status === 200 || status === 206) return bytes;
        bytes.destroy();
        if (status === 404) return undefined;
        if (status === 416) return Readable.from([]);
        throw new Error(`Cloudinary answered ${status}`);
      },
      async *names() {
        for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
          const page = (await tracked(answerOf((agent) => list({ ...access, ...listing, next_cursor: cursor, agent })))) as ListedPage;
          for (const { public_id } of page.resources) yield public_id.slice(folder.length + 1);
          cursor = page.next_cursor;
        }
      },
      async remove(keys) {
        // Cloudinary does not treat a missing file as an error.
        for (const key of keys) await tracked(answerOf((agent) => destroy(publicId(key), { ...access, ...kind, invalidate: true, agent })));
      },
      health: () =>
        Promise.resolve(probing === undefined ? { ok: true } : { ok: false, detail: "Cloudinary can't be reached, or rejects requests" }),
      close() {
        markAvailable();
        return Promise.resolve();
      },
    },
    log,
  );
}

/** Cloudinary's error, or the SDK's when there was no answer. */
class CloudinaryError extends Error {
  readonly status: number | undefined;
  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }
}

/** Converts an error of the SDK, which has several forms. Some contain the secret, so only the message and the status are kept. */
function cloudinaryErrorOf(failure: unknown): CloudinaryError {
  const { error = failure } = failure as { error?: unknown };
  const { message, http_code: status } = error as { message?: unknown; http_code?: number };
  return new CloudinaryError(typeof message === "string" ? message : "no answer", status);
}

/** Runs one SDK call on its own connection, and closes the connection on timeout: the SDK does not end all calls by itself. */
async function answerWithin<T>(timeoutMs: number, call: (agent: Agent) => Promise<T>): Promise<T> {
  const agent = new Agent();
  const timer = setTimeout(() => agent.destroy(), timeoutMs);
  try {
    return await call(agent);
  } catch (error) {
    throw cloudinaryErrorOf(error);
  } finally {
    clearTimeout(timer);
    agent.destroy();
  }
}

async function withAbortTimeout<T>(timeoutMs: number, abort: AbortController, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => abort.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** Yields a body's bytes in the range, whether or not the server respected the range. `at` is the offset at which the body begins. */
async function* bytesInRange(
  range: ByteRange,
  at: number,
  body: ReadableStream<Uint8Array>,
  withTimeout: <T>(read: Promise<T>) => Promise<T>,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  while (at <= range.end) {
    const { done, value } = await withTimeout(reader.read());
    if (done) return;
    yield value.subarray(Math.max(range.start - at, 0), range.end + 1 - at);
    at += value.length;
  }
}
