/**
 * Stores a mesh's blobs as GridFS files in the database `<mesh>_media`, with one row per key, which names the key's current file. A file
 * becomes current in one update of the row, when all of it is stored. The row also names every other file that may have bytes, so that an
 * index finds the files that a dead process left.
 */
import { Readable } from "node:stream";
import type { Logger } from "moleculer";
import mongoose from "mongoose";
import { connect } from "../store/mongo/connection.ts";
import type { Blobs } from "./blobs.ts";
import { checkedBlobs, promisified } from "./adapter.ts";

const { GridFSBucket, ObjectId } = mongoose.mongo;
type FileId = InstanceType<typeof ObjectId>;

interface BlobRow {
  /** The blob's key. */
  readonly _id: string;
  readonly current?: { readonly fileId: FileId; readonly size: number };
  /** Files being written. An id contains the time at which its write began. */
  readonly writing: readonly FileId[];
  /** Files whose bytes are to be removed. */
  readonly gone: readonly FileId[];
}

/** A chunk as the driver returns it. */
interface Chunk {
  readonly files_id: FileId;
  readonly n: number;
  readonly data: mongoose.mongo.Binary;
}

const bucketName = "blobs";
/** Size of a file's chunks, GridFS' default. Stored files have it, so it must never change. */
const chunkBytes = 255 * 1024;
/** No upload takes this long: an older writer is dead, or notices when it continues. */
const maxWriteMs = 3_600_000;
const sweepEveryMs = 900_000;

/** Updates of a row's files, each a single pipeline. */
const goneWithCurrent = { $concatArrays: ["$gone", { $cond: [{ $ifNull: ["$current", false] }, ["$current.fileId"], []] }] };
const makeCurrent = (fileId: FileId, size: number) => [
  { $set: { gone: goneWithCurrent, writing: { $setDifference: ["$writing", [fileId]] }, current: { fileId, size } } },
];
const makeNoneCurrent = [{ $set: { gone: goneWithCurrent } }, { $unset: "current" }];
const giveUpWritersBefore = (limit: FileId) => {
  const writing = (comparison: "$lt" | "$gte") => ({ $filter: { input: "$writing", cond: { [comparison]: ["$$this", limit] } } });
  return [{ $set: { gone: { $concatArrays: ["$gone", writing("$lt")] }, writing: writing("$gte") } }];
};

/**
 * Connects to MongoDB and retries with back-off until it can be reached.
 * @throws StartError  wrong credentials
 */
export async function openGridFsBlobs(uri: string, mesh: string, { log }: { log: Logger }): Promise<Blobs> {
  const connection = await connect(uri, log);
  const db = connection.getClient().db(`${mesh}_media`);
  const bucket = new GridFSBucket(db, { bucketName, chunkSizeBytes: chunkBytes });
  const rows = db.collection<BlobRow>(bucketName);
  const files = db.collection(`${bucketName}.files`);
  const chunksOfFiles = db.collection<Chunk>(`${bucketName}.chunks`);
  await rows.createIndexes([{ key: { writing: 1 } }, { key: { gone: 1 } }]);
  await chunksOfFiles.createIndex({ files_id: 1, n: 1 }, { unique: true });

  /** Stores a file without making it current. @returns its size in bytes */
  async function storeFile(key: string, fileId: FileId, chunks: AsyncIterable<Buffer>): Promise<number> {
    const upload = bucket.openUploadStreamWithId(fileId, key);
    upload.on("error", () => undefined); // The callbacks report the error.
    try {
      for await (const chunk of chunks) await promisified((back) => upload.write(chunk, back));
      await promisified((back) => upload.end(back));
      return upload.length;
    } catch (error) {
      // An unanswered chunk may still be stored, so the sweep removes this file later.
      if (upload.state.outstandingRequests === 0) {
        const { matchedCount } = await rows.updateOne({ _id: key }, { $pull: { writing: fileId }, $push: { gone: fileId } });
        // A sweep that gave up this write may also have deleted the row.
        if (matchedCount === 0) await deleteFile(fileId);
        else await removeGone({ _id: key });
      }
      throw error;
    }
  }

  /** Reads one chunk per query: no cursor stays open while the reader is slow, and the driver repeats a query when the primary changes. */
  async function* bytesOf(fileId: FileId, first: number, last: number): AsyncGenerator<Uint8Array, void, void> {
    for (let n = Math.floor(first / chunkBytes), at = n * chunkBytes; at <= last; n++, at += chunkBytes) {
      const chunk = await chunksOfFiles.findOne({ files_id: fileId, n });
      if (chunk === null) throw new Error("the blob was replaced or removed while it was read");
      const bytes = chunk.data.value();
      yield bytes.subarray(Math.max(first - at, 0), Math.min(last + 1 - at, chunkBytes));
    }
  }

  async function deleteFile(fileId: FileId): Promise<void> {
    await files.deleteOne({ _id: fileId });
    await chunksOfFiles.deleteMany({ files_id: fileId });
  }

  /** Removes the bytes of all files that these rows list as gone, and rows that name no file any more. */
  async function removeGone(which: mongoose.mongo.Filter<BlobRow>): Promise<void> {
    for await (const { _id, gone } of rows.find(which)) {
      for (const fileId of gone) await deleteFile(fileId);
      await rows.updateOne({ _id }, { $pullAll: { gone } });
      await rows.deleteOne({ _id, current: { $exists: false }, writing: [], gone: [] });
    }
  }

  async function sweep(): Promise<void> {
    const limit = ObjectId.createFromTime(Math.floor((Date.now() - maxWriteMs) / 1000));
    await rows.updateMany({ writing: { $lt: limit } }, giveUpWritersBefore(limit));
    await removeGone({ gone: { $type: "objectId" } });
  }
  let sweeping: Promise<void> | undefined;
  const startSweep = (): void => {
    sweeping ??= sweep()
      .catch((error: unknown) => log.warn(`Media storage can't be swept: ${(error as Error).message}`))
      .finally(() => (sweeping = undefined));
  };
  startSweep();
  const timer = setInterval(startSweep, sweepEveryMs).unref();

  return checkedBlobs(
    {
      async write(key, chunks) {
        const fileId = new ObjectId();
        await rows.updateOne({ _id: key }, { $push: { writing: fileId }, $setOnInsert: { gone: [] } }, { upsert: true });
        const size = await storeFile(key, fileId, chunks);
        const { matchedCount } = await rows.updateOne({ _id: key, writing: fileId }, makeCurrent(fileId, size));
        if (matchedCount === 0) {
          await deleteFile(fileId);
          throw new Error("the upload took too long and was given up");
        }
        // The file is stored. Files that can't be removed now are left to the sweep.
        await removeGone({ _id: key }).catch(() => undefined);
      },
      async read(key, range) {
        const row = await rows.findOne({ _id: key });
        if (row?.current === undefined) return undefined;
        const { fileId, size } = row.current;
        const last = Math.min(range?.end ?? size, size - 1);
        return Readable.from(bytesOf(fileId, range?.start ?? 0, last), { objectMode: false });
      },
      async *names() {
        for await (const { _id } of rows.find({ current: { $exists: true } }, { projection: { _id: 1 } })) yield _id;
      },
      async remove(keys) {
        await rows.updateMany({ _id: { $in: [...keys] }, current: { $exists: true } }, makeNoneCurrent);
        await removeGone({ _id: { $in: [...keys] } });
      },
      async health() {
        const hello = await db.command({ hello: 1 }).catch(() => undefined);
        if (hello === undefined) return { ok: false, detail: "MongoDB can't be reached" };
        return hello["isWritablePrimary"] === true ? { ok: true } : { ok: false, detail: "MongoDB has no primary" };
      },
      async close() {
        clearInterval(timer);
        await sweeping;
        await connection.close();
      },
    },
    log,
  );
}
