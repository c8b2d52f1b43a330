/**
 * Bytes on their way in, kept in a temporary file rather than in memory. The file has no name from the start, so that nothing is
 * left of it however the process ends. It lies where the system keeps such files (`TMPDIR`).
 */
import { createHash, randomUUID } from "node:crypto";
import { open, unlink, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { codeOf, Unavailable } from "../../../../core/errors.ts";

export interface Spooled {
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
  /** The bytes from their beginning. */
  readonly read: () => Readable;
  /** Frees the file; to be called once, whatever happens. */
  readonly release: () => Promise<void>;
}
/** A file as it was sent. */
export interface UploadedFile extends Spooled {
  /** As the client calls it: anything. */
  readonly name: string;
}

/** @throws Unavailable  the disk is full or broken; and whatever the source ends with */
export async function spool(source: AsyncIterable<Buffer>): Promise<Spooled> {
  const file = await mapDiskErrors(openUnlinked());
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      size += chunk.length;
      await mapDiskErrors(file.appendFile(chunk));
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    size,
    sha256: hash.digest("hex"),
    read: () => file.createReadStream({ start: 0, autoClose: false }),
    release: () => file.close(),
  };
}

async function openUnlinked(): Promise<FileHandle> {
  const path = join(tmpdir(), `parley-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}

async function mapDiskErrors<T>(operation: Promise<T>): Promise<T> {
  return operation.catch((error: unknown) => {
    throw codeOf(error) === undefined ? Object.assign(new Unavailable(), { cause: error }) : error;
  });
}
