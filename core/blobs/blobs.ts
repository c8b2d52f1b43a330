/**
 * Defines the blobs port: bytes of files and pictures by key. Their types, owners and access rights are stored elsewhere. Adapters:
 * `disk.ts` (embedded), `gridfs.ts` (mesh), `cloudinary.ts`; one test suite runs against all three.
 *
 * A key is an id, followed by a dot and a word where one file has several forms: `665f1c0a9d3e4b0012ab34cd`,
 * `665f1c0a9d3e4b0012ab34cd.thumb`. All methods throw `Invalid` for any other key, and `Unavailable` when the storage can't be reached, is
 * full, or fails. A write that fails with `Unavailable` may still have been stored as a whole.
 */
import type { Readable } from "node:stream";
import type { Health } from "../health.ts";

/** First and last byte, counted from 0. Bytes beyond the end are left out. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface Blobs {
  /**
   * Stores a stream as a whole or not at all, and replaces the key's previous bytes. The bytes are durable when the promise resolves. The
   * source is read no faster than it can be stored, and destroyed on failure. Of two concurrent writers of a key, the bytes of one remain.
   * @param size  in bytes, if known: a source of another size is refused
   * @throws Invalid  no bytes, or not `size` of them; also any error of the source itself
   */
  write(key: string, source: Readable, size?: number): Promise<void>;
  /**
   * Reads the bytes in a range, or all of them; undefined if there is no such blob. Destroy the stream to stop early. When the blob is
   * replaced or removed meanwhile, the stream returns the old bytes or fails with `Unavailable`; it never mixes versions and never ends
   * early.
   * @throws Invalid  malformed range
   */
  read(key: string, range?: ByteRange): Promise<Readable | undefined>;
  /** Lists the keys of all blobs in no particular order. A blob that is written or removed meanwhile may or may not be included. */
  keys(): AsyncIterable<string>;
  /** Removes blobs. Missing keys are ignored. */
  remove(keys: readonly string[]): Promise<void>;
  /** Whether reads and writes work now, as far as known, and if not, why. */
  health(): Promise<Health>;
  close(): Promise<void>;
}
