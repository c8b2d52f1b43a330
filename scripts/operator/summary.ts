/** Summarises a backup in one line. */
import type { BackupManifest } from "../../core/backup/format.ts";

export function summary({ rows, blobs }: BackupManifest): string {
  const all = Object.values(rows).reduce((sum, count) => sum + count, 0);
  return `${all} rows (${rows["chat.messages"] ?? 0} messages) and ${blobs.files} files (${(blobs.bytes / 1e6).toFixed(1)} MB)`;
}
