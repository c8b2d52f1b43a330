/**
 * Writes a backup file. The file is named `<file>.part` until it is complete, on disk and has been read back. A later run overwrites it.
 */
import { createHash } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { JsonRows } from "../store/contents.ts";
import { blobName, digestLine, entryNames, rowsName, type BackupHeader, type BackupManifest } from "./format.ts";
import { endBlocks, entryBytes, sha256 } from "./tar.ts";

/** Maximum size of one entry of rows before compression, in characters. */
const partChars = 4_000_000;
/** Compression level. Compressing takes most of the time, and higher levels take three times as long for little gain. */
const level = 3;
const zip = promisify(gzip);

export const partialPath = (file: string): string => `${file}.part`;

export class ArchiveWriter {
  private readonly handle: FileHandle;
  private readonly head: BackupHeader;
  private readonly digest = createHash("sha256");
  private readonly counts = new Map<string, number>();
  private files = 0;
  private bytes = 0;
  private readonly missing: string[] = [];

  /** @param file  not created before `renameWhole`; this writes its `.part` file */
  static async begin(file: string, head: BackupHeader): Promise<ArchiveWriter> {
    const writer = new ArchiveWriter(await open(partialPath(file), "w", 0o600), head);
    await writer.json(entryNames.head, head);
    return writer;
  }

  private constructor(handle: FileHandle, head: BackupHeader) {
    this.handle = handle;
    this.head = head;
  }

  /** Writes all rows of a collection, in one or more entries. */
  async rows(service: string, collection: string, pages: AsyncIterable<JsonRows>): Promise<void> {
    let [part, count, chars] = [0, 0, 0];
    let lines: JsonRows[] = [];
    const flush = async () => {
      const text = `${lines.map((page) => page.join("\n")).join("\n")}\n`;
      await this.entry(rowsName(service, collection, ++part), await zip(text, { level }));
      [lines, chars] = [[], 0];
    };
    for await (const page of pages) {
      count += page.length;
      lines.push(page);
      chars += page.reduce((sum, row) => sum + row.length, 0);
      if (chars >= partChars) await flush();
    }
    if (lines.length > 0) await flush();
    this.counts.set(`${service}.${collection}`, count);
  }

  /** @param bytes  undefined if the storage has none under this key */
  async blob(key: string, bytes: Buffer | undefined): Promise<void> {
    if (bytes === undefined) {
      this.missing.push(key);
      return;
    }
    this.files++;
    this.bytes += bytes.length;
    await this.entry(blobName(key), bytes);
  }

  /** Writes the manifest and flushes the file to disk. */
  async finish(rest: Pick<BackupManifest, "store" | "era" | "isMove" | "schemas">): Promise<BackupManifest> {
    const { files, bytes, missing } = this;
    const manifest: BackupManifest = {
      ...this.head,
      ...rest,
      rows: Object.fromEntries(this.counts),
      blobs: { files, bytes, missing },
      sha256: this.digest.copy().digest("hex"),
    };
    await this.json(entryNames.manifest, manifest);
    await this.handle.appendFile(endBlocks());
    await this.handle.sync();
    await this.handle.close();
    return manifest;
  }

  /** Closes the file, complete or not. */
  async close(): Promise<void> {
    await this.handle.close().catch(() => undefined);
  }

  private json(name: string, value: object): Promise<void> {
    return this.entry(name, Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`));
  }

  private async entry(name: string, bytes: Buffer): Promise<void> {
    const hash = sha256(bytes);
    this.digest.update(digestLine(name, hash));
    await this.handle.writev(entryBytes(name, bytes, hash, Date.parse(this.head.createdAt)));
  }
}

/** Renames a complete file to its final name, durably. */
export async function renameWhole(file: string): Promise<void> {
  await rename(partialPath(file), file);
  const folder = await open(dirname(file));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export const removePartial = (file: string): Promise<void> => rm(partialPath(file), { force: true });
