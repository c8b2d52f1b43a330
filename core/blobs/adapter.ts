/** What the adapters of the blobs port have in common: keys and ranges are checked, sources and readers are told what the port says. */
import { finished, PassThrough, type Readable } from "node:stream";
import type { Logger } from "moleculer";
import { codeOf, Invalid, Unavailable } from "../errors.ts";
import type { Blobs, ByteRange } from "./blobs.ts";

/** An adapter: keys and ranges are good, and whatever it throws becomes `Unavailable`, with a line in the log. */
export interface BlobAdapter {
  /** Stores all chunks in place of what the key held, or nothing when it or the chunks fail. No chunk is empty, and there is one at least. */
  write(key: string, chunks: AsyncIterable<Buffer>): Promise<void>;
  /** Fails in mid-stream rather than end short. */
  read(key: string, range: ByteRange | undefined): Promise<Readable | undefined>;
  /** Others than keys are passed over. */
  names(): AsyncIterable<string>;
  remove(keys: readonly string[]): Promise<void>;
  health: Blobs["health"];
  close: Blobs["close"];
}

/** The port on this storage. */
export function checkedBlobs(adapter: BlobAdapter, log: Pick<Logger, "warn">): Blobs {
  const failed = (doing: string, error: unknown): Unavailable => {
    log.warn(`Media storage fails to ${doing}: ${(error as Error).message}`);
    return new Unavailable();
  };
  return {
    async write(key, source, size) {
      // A source that fails before it is read from must not end the process.
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

/** A source's chunks, counted. Remembers its failure, so that it can be told from the storage's. */
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
    if (this.#size !== undefined && bytes !== this.#size) throw new Invalid("The file is not as long as it was said to be");
  }
}

/** The same bytes, with a failure told in the port's words; either end's end is the other's. */
function withPortErrors(bytes: Readable, toPortError: (error: Error) => Unavailable): Readable {
  const out = new PassThrough();
  // It may fail before anybody reads it, and that must not end the process.
  out.on("error", () => undefined);
  finished(bytes, { writable: false }, (error) => {
    if (error && !out.destroyed) out.destroy(toPortError(error));
  });
  out.once("close", () => bytes.destroy());
  return bytes.pipe(out);
}

/** A call that tells its end to a callback, as a promise. */
export const promisified = (step: (back: (error?: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => step((error) => (error ? reject(error) : resolve())));
