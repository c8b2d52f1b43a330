/**
 * Defines the entries of a backup file, in this order:
 *
 *     parley-backup.json                               header, read first
 *     rows/<service>/<collection>/<000001>.jsonl.gz    rows, one line of JSON each
 *     blobs/<key>                                      the bytes of files and pictures
 *     manifest.json                                    expected contents, written last
 */
import type { StoreKind } from "../store/contents.ts";
export const formatVersion = 1;
export const entryNames = { head: "parley-backup.json", manifest: "manifest.json" } as const;

/** First entry of the file. */
export interface BackupHeader {
  /** The format's version. */
  readonly parleyBackup: number;
  /** Version of the program that wrote the backup. */
  readonly version: string;
  /** ISO-8601. */
  readonly createdAt: string;
}

export interface BackupManifest extends BackupHeader {
  readonly store: StoreKind;
  /** The installation's era. */
  readonly era: string;
  /** The source was stopped and must not be started again, so the target may continue its era. */
  readonly isMove: boolean;
  /** Schema version of each service's data. */
  readonly schemas: { readonly [service: string]: number };
  /** Rows by `service.collection`. */
  readonly rows: { readonly [collection: string]: number };
  readonly blobs: { readonly files: number; readonly bytes: number; /** Keys that had no bytes. */ readonly missing: readonly string[] };
  /** SHA-256 over the names and hashes of all entries before this one, one line each. */
  readonly sha256: string;
}

const digits = 6;
export const rowsName = (service: string, collection: string, part: number): string =>
  `rows/${service}/${collection}/${`${part}`.padStart(digits, "0")}.jsonl.gz`;
export const blobName = (key: string): string => `blobs/${key}`;

/** The content of an entry, parsed from its name. */
export type EntryName =
  | { readonly is: "rows"; readonly service: string; readonly collection: string }
  | { readonly is: "blob"; readonly key: string }
  | { readonly is: "manifest" };

export function parseEntryName(name: string): EntryName | undefined {
  if (name === entryNames.manifest) return { is: "manifest" };
  const [, service, collection] = /^rows\/(\w+)\/(\w+)\/\d+\.jsonl\.gz$/.exec(name) ?? [];
  if (service !== undefined && collection !== undefined) return { is: "rows", service, collection };
  const [, key] = /^blobs\/([\w.]+)$/.exec(name) ?? [];
  return key === undefined ? undefined : { is: "blob", key };
}

/** One line of the digest over all entries. */
export const digestLine = (name: string, hash: string): string => `${name} ${hash}\n`;
