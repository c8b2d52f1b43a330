/**
 * Wraps a storage adapter as the blobs port: validates keys and ranges, and converts errors of sources, readers and storage to the port's
 * errors.
 */
import { finished, PassThrough, type Readable } from "node:stream";
import type { Logger } from "moleculer";
import { codeOf, Invalid, Unavailable } from "../errors.ts";
import type { Blobs, ByteRange } from "./blobs.ts";

/** A storage adapter. It gets valid keys and ranges only. Whatever it throws is logged and becomes `Unavailable`. */
export interface BlobAdapter {
  /**
   * Replaces the key's bytes with all chunks, or stores nothing if the storage or the chunks fail. There is at least one chunk, and none is
   * empty.
   */
  write(key: string, chunks: AsyncIterable<Buffer>): Promise<void>;
  /** The stream must fail rather than end too early. */
  read(key: string, range: ByteRange | undefined): Promise<Readable | undefined>;
  /** May include names that are not keys; they are ignored. */
  names(): AsyncIterable<string>;
  remove(keys: readonly string[]): Promise<void>;
  health: Blobs["health"];
  close: Blobs["close"];
}

/** Implements the port on this storage. */
export function checkedBlobs(adapter: BlobAdapter, log: Pick<Logger, "warn">): Blobs {
  const failed = (doing: string, error: unknown): Unavailable => {
    log.warn(`Media storage fails to ${doing}: ${(error as Error).message}`);
    return new Unavailable();
  };
  return {
    async write(key, source, size) {
      // A source that fails before it is read must not end the process.
      source.on("error", () => undefined);
      const chunks = new CountedChunks(source, size);
      try {
        checkKeys([key]);
        await adapter.write(key, chunks);
      } catch (error) {
        source.destroy();
        throw chunks.failure?.error ?? (codeOf(error) === undefined ? failed("write", error) : error);
      }
    },
    async read(key, range) {
      checkKeys([key]);
      if (range !== undefined) checkRange(range);
      try {
        const bytes = await adapter.read(key, range);
        return bytes && withPortErrors(bytes, (error) => failed("read", error));
      } catch (error) {
        throw failed("read", error);
      }
    },
    async *keys() {
      try {
        for await (const name of adapter.names()) if (keyPattern.test(name)) yield name;
      } catch (error) {
        throw failed("list", error);
      }
    },
    async remove(keys) {
      checkKeys(keys);
      await adapter.remove(keys).catch((error: unknown) => {
        throw failed("remove", error);
      });
    },
    health: () => adapter.health(),
    close: () => adapter.close(),
  };
}

const keyPattern = /^[0-9a-f]{24}(\.[a-z]{1,16})?$/;

function checkKeys(keys: readonly string[]): void {
  if (!keys.every((key) => keyPattern.test(key))) throw new Invalid("Not a file's key");
}

function checkRange({ start, end }: ByteRange): void {
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end)) throw new Invalid("Not a range of bytes");
}

/** Counts a source's bytes, and keeps the source's error so that it can be distinguished from the storage's. */
class CountedChunks implements AsyncIterable<Buffer> {
  failure: { readonly error: unknown } | undefined;
  readonly #source: Readable;
  readonly #size: number | undefined;

  constructor(source: Readable, size: number | undefined) {
    this.#source = source;
    this.#size = size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    try {
      yield* this.#counted();
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  async *#counted(): AsyncGenerator<Buffer, void, void> {
    let bytes = 0;
    for await (const chunk of this.#source as AsyncIterable<Buffer>) {
      if (chunk.length === 0) continue;
      bytes += chunk.length;
      if (this.#size !== undefined && bytes > this.#size) break;
      yield chunk;
    }
    if (bytes === 0) throw new Invalid("The file is empty");
    if (this.#size !== undefined && bytes !== this.#size) throw new Invalid("The file's size differs from the size given");
  }
}

/** Passes the bytes on and converts an error to the port's. When one end closes, so does the other. */
function withPortErrors(bytes: Readable, toPortError: (error: Error) => Unavailable): Readable {
  const out = new PassThrough();
  // The stream may fail before it is read, and that must not end the process.
  out.on("error", () => undefined);
  finished(bytes, { writable: false }, (error) => {
    if (error && !out.destroyed) out.destroy(toPortError(error));
  });
  out.once("close", () => bytes.destroy());
  return bytes.pipe(out);
}

/** Converts a call with a completion callback to a promise. */
export const promisified = (step: (back: (error?: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => step((error) => (error ? reject(error) : resolve())));
