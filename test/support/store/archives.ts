/** Reads the contents of a backup file, and brings rows into a form that can be compared. */
import type { BackupManifest } from "../../../core/backup/format.ts";
import { entriesOf } from "../../../core/backup/archive-reader.ts";
import { sha256 } from "../../../core/backup/tar.ts";
import type { Doc } from "../../../core/store/store.ts";

export interface ArchiveContents {
  readonly manifest: BackupManifest;
  /** Rows by `service.collection`, by their ids. */
  readonly rows: Readonly<Record<string, readonly Doc[]>>;
  /** Hashes of the blobs by key. */
  readonly blobs: Readonly<Record<string, string>>;
}

export async function readArchive(file: string): Promise<ArchiveContents> {
  const rows: Record<string, Doc[]> = {};
  const blobs: Record<string, string> = {};
  for await (const entry of entriesOf(file)) {
    if (entry.is === "rows") (rows[`${entry.service}.${entry.collection}`] ??= []).push(...(await entry.rows()));
    else if (entry.is === "blob") blobs[entry.key] = sha256(entry.bytes);
    else {
      for (const all of Object.values(rows)) all.sort((a, b) => (a._id < b._id ? -1 : 1));
      return { manifest: entry.manifest, rows, blobs };
    }
  }
  throw new Error("the archive has no manifest");
}

/** A row as JSON, the same for every store: fields sorted by name, without those that are null. */
export const plain = (row: Doc): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(row)
        .filter(([, value]) => value !== null)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );
