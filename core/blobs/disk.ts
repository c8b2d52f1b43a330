/**
 * Stores blobs as files in a folder that only this process uses. A file is renamed to its key when all of it is on disk, so that a crash
 * leaves the complete file or none. Unfinished files are in a subfolder that is emptied at start.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, open, opendir, rename, rm, statfs, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "moleculer";
import { StartError } from "../errors.ts";
import type { Blobs } from "./blobs.ts";
import { checkedBlobs } from "./adapter.ts";

/** Below this much free space the disk counts as full: a few concurrent uploads must fit. */
const minFreeBytes = 64 * 1024 * 1024;

/**
 * @param isBeside  another process uses the folder and may be writing: unfinished files stay
 * @throws StartError  the folder is not writable
 */
export async function openDiskBlobs(folder: string, { log, isBeside = false }: { log: Logger; isBeside?: boolean }): Promise<Blobs> {
  const unfinished = join(folder, "unfinished");
  const fileOf = (key: string): string => join(folder, key);
  try {
    if (!isBeside) await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true, mode: 0o700 });
    await syncFolder(dirname(folder));
  } catch (error) {
    throw new StartError(`The folder ${folder} can't be written: ${(error as Error).message}`);
  }

  return checkedBlobs(
    {
      async write(key, chunks) {
        const file = join(unfinished, randomUUID());
        try {
          await writeWhole(file, chunks);
          await rename(file, fileOf(key));
          await syncFolder(folder);
        } catch (error) {
          await rm(file, { force: true });
          throw error;
        }
      },
      async read(key, range) {
        // An open file can still be read after it is replaced or removed.
        const file = await unlessMissing(open(fileOf(key)));
        if (file === undefined) await access(folder); // Fails if the folder itself is missing.
        return file?.createReadStream(range);
      },
      async *names() {
        for await (const { name } of await opendir(folder)) yield name;
      },
      async remove(keys) {
        await Promise.all(keys.map((key) => unlessMissing(unlink(fileOf(key)))));
        await syncFolder(folder);
      },
      async health() {
        try {
          await access(folder, constants.W_OK | constants.X_OK);
          const { bavail, bsize } = await statfs(folder);
          return bavail * bsize < minFreeBytes ? { ok: false, detail: "the disk is full" } : { ok: true };
        } catch {
          return { ok: false, detail: "the folder can't be written" };
        }
      },
      close: () => Promise.resolve(),
    },
    log,
  );
}

async function writeWhole(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of chunks) await file.appendFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Flushes the folder, so that new and removed names are durable. */
async function syncFolder(folder: string): Promise<void> {
  const names: FileHandle = await open(folder);
  try {
    await names.sync();
  } finally {
    await names.close();
  }
}

async function unlessMissing<T>(attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
