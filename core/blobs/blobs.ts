/**
 * The blobs port: bytes of files and pictures under keys. What they are, whose, and who may have them is known elsewhere. Adapters:
 * `disk.ts` (embedded), `gridfs.ts` (mesh), `cloudinary.ts`; one test suite holds all three to this page.
 *
 * A key is an id, with a word behind a dot where one file has several forms: `665f1c0a9d3e4b0012ab34cd`, `665f1c0a9d3e4b0012ab34cd.thumb`.
 * All methods throw `Invalid` for another key, and `Unavailable` when the storage can't be reached, has no room, or fails. A write that
 * fails so may have happened all the same, as a whole.
 */
import type { Readable } from "node:stream";
import type { Health } from "../health.ts";

/** First and last byte, counted from 0; what lies beyond the end is left out. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface Blobs {
  /**
   * Stores a stream, whole or not at all, in place of what the key held before. When the promise resolves it is durable. The source
   * is read no faster than it can be stored, and destroyed when that fails. Of two writers of a key at once, one's bytes stay.
   * @param size  in bytes, where it is known: a source of another size is refused
   * @throws Invalid  no bytes, or not `size` of them; and whatever error the source itself ends with
   */
  write(key: string, source: Readable, size?: number): Promise<void>;
  /**
   * The bytes, all of them without a range; undefined when there are none. Destroy the stream to let go of it early. When the blob is
   * replaced or removed meanwhile, the stream gives the old bytes or fails with `Unavailable`; it never mixes, and never ends short.
   * @throws Invalid  the range is none
   */
  read(key: string, range?: ByteRange): Promise<Readable | undefined>;
  /** The keys of all blobs, in no order; of one that is written or removed meanwhile maybe. */
  keys(): AsyncIterable<string>;
  /** Missing ones are fine. */
  remove(keys: readonly string[]): Promise<void>;
  /** Whether the storage takes and gives bytes now, as far as is known; says why not. */
  health(): Promise<Health>;
  close(): Promise<void>;
}
