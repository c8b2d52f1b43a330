/**
 * Blobs at Cloudinary, by its SDK: raw files of type "authenticated", which are delivered to signed URLs only; those never leave the
 * server. Cloudinary's network may give a replaced blob's old bytes for some minutes: a key is best written once.
 */
import { Agent } from "node:https";
import { Readable } from "node:stream";
import { v2 as cloudinary } from "cloudinary";
import type { Logger } from "moleculer";
import type { CloudinaryAccount } from "../config/config-values.ts";
import { StartError } from "../errors.ts";
import type { Blobs, ByteRange } from "./blobs.ts";
import { checkedBlobs, promisified } from "./adapter.ts";

/** The SDK's types don't know that it takes an agent here too. */
const destroy: (publicId: string, options: object) => Promise<unknown> = cloudinary.uploader.destroy;

const list: (options: object) => Promise<unknown> = cloudinary.api.resources;

/** A page of a listing. */
interface ListedPage {
  readonly resources: readonly { readonly public_id: string }[];
  readonly next_cursor?: string;
}

/** How long Cloudinary may take to answer, and keep silent in the middle of a transfer. */
const idleTimeoutMs = 15_000;
/** How often it is asked whether it is back. Its free plan answers 500 such questions an hour. */
const probeEveryMs = 30_000;

/**
 * Cloudinary being away does not hold up the start.
 * @param folder  where the files lie, `parley/<mesh>`
 * @throws StartError  it refuses the key or the secret
 */
export async function openCloudinaryBlobs(
  account: CloudinaryAccount,
  folder: string,
  { log }: { log: Pick<Logger, "warn"> },
): Promise<Blobs> {
  // Given to each call: the SDK's own configuration is one for the whole process.
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
      throw new StartError("CLOUDINARY_URL: Cloudinary refuses the key or the secret");
    log.warn(`Cloudinary can't be reached, media will have to wait: ${(error as Error).message}`);
  });

  /** The answer's status, and its body's bytes that are in the range. */
  async function fetchBytes(key: string, range: ByteRange | undefined): Promise<{ status: number; bytes: Readable }> {
    const abort = new AbortController();
    // Compressed on the way, a range would be one of other bytes.
    const headers = { "accept-encoding": "identity", ...(range && { range: `bytes=${range.start}-${range.end}` }) };
    const { status, body } = await withAbortTimeout(abort, fetch(signedUrl(key), { headers, signal: abort.signal }));
    const first = status === 206 && range ? range.start : 0;
    const bytes = Readable.from(body === null ? [] : bytesInRange(range ?? { start: 0, end: Infinity }, first, body, abort), {
      objectMode: false,
    });
    bytes.once("close", () => abort.abort());
    return { status, bytes };
  }

  return checkedBlobs(
    {
      async write(key, chunks) {
        const agent = new Agent();
        const { promise: answer, resolve, reject } = Promise.withResolvers<unknown>();
        answer.catch(() => undefined); // It may come before anybody waits for it.
        const options = { ...access, ...kind, public_id: publicId(key), overwrite: true, invalidate: true, timeout: idleTimeoutMs, agent };
        const upload = cloudinary.uploader.upload_stream(options, (error, result) =>
          error ? reject(cloudinaryErrorOf(error)) : resolve(result),
        );
        upload.on("error", () => undefined); // The callbacks tell.
        try {
          // An answer before the end is a refusal, and nobody takes the rest then.
          for await (const chunk of chunks) await Promise.race([promisified((back) => upload.write(chunk, back)), answer]);
          upload.end();
          await tracked(answer);
        } finally {
          // Cuts an upload that is not whole, of which Cloudinary then keeps nothing. The SDK offers no other way.
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
        // A missing one is no error to Cloudinary.
        for (const key of keys) await tracked(answerOf((agent) => destroy(publicId(key), { ...access, ...kind, invalidate: true, agent })));
      },
      health: () =>
        Promise.resolve(probing === undefined ? { ok: true } : { ok: false, detail: "Cloudinary can't be reached, or refuses" }),
      close() {
        markAvailable();
        return Promise.resolve();
      },
    },
    log,
  );
}

/** Cloudinary's no, or what the SDK says when there was no answer. */
class CloudinaryError extends Error {
  readonly status: number | undefined;
  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }
}

/** The SDK fails with errors of several forms, and some carry the secret: only the text goes on. */
function cloudinaryErrorOf(failure: unknown): CloudinaryError {
  const { error = failure } = failure as { error?: unknown };
  const { message, http_code: status } = error as { message?: unknown; http_code?: number };
  return new CloudinaryError(typeof message === "string" ? message : "no answer", status);
}

/** One call of the SDK on a connection of its own, which is cut when the answer takes too long: the SDK does not end all calls itself. */
async function answerOf<T>(call: (agent: Agent) => Promise<T>): Promise<T> {
  const agent = new Agent();
  const timer = setTimeout(() => agent.destroy(), idleTimeoutMs);
  try {
    return await call(agent);
  } catch (error) {
    throw cloudinaryErrorOf(error);
  } finally {
    clearTimeout(timer);
    agent.destroy();
  }
}

async function withAbortTimeout<T>(abort: AbortController, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => abort.abort(new Error(`no answer within ${idleTimeoutMs} ms`)), idleTimeoutMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** A body's bytes in the range, whether or not the server kept to it. `at` is where the body begins. */
async function* bytesInRange(
  range: ByteRange,
  at: number,
  body: ReadableStream<Uint8Array>,
  abort: AbortController,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  while (at <= range.end) {
    const { done, value } = await withAbortTimeout(abort, reader.read());
    if (done) return;
    yield value.subarray(Math.max(range.start - at, 0), range.end + 1 - at);
    at += value.length;
  }
}
