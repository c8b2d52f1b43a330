/**
 * Spools incoming bytes to a temporary file instead of memory. The file is unlinked immediately, so nothing remains of it however the
 * process ends. It is in the system's temporary folder (`TMPDIR`).
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
  /** Reads from the start. */
  readonly read: () => Readable;
  /** Frees the file. Call it exactly once, after errors too. */
  readonly release: () => Promise<void>;
}
export interface UploadedFile extends Spooled {
  /** Chosen by the client: any text. */
  readonly name: string;
}

/** @throws Unavailable  the disk is full or fails; also the source's errors */
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
