/**
 * Reads and writes the container format of backups: a plain tar (POSIX.1-2001 pax), which any tar program can list and unpack. Each entry
 * carries the SHA-256 of its bytes in a pax comment. Entries are small enough to hold one at a time in memory.
 */
import { createHash } from "node:crypto";

export const blockBytes = 512;
/** Maximum size of an entry. Parley never writes a larger one. */
export const maxEntryBytes = 64 * 1024 * 1024;

/** Offset and length of the header fields in use. */
const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
} as const;
type HeaderField = keyof typeof fields;
const hashRecord = "comment=sha256";

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
/** Number of zero bytes up to the next block boundary. */
export const padding = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes;

export interface TarHeader {
  readonly name: string;
  /** `x`: records about the following entry. `0`: a file. */
  readonly type: string;
  readonly size: number;
}

function headerBlock({ name, type, size }: TarHeader, time: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const put = (field: HeaderField, text: string) => {
    const [from, length] = fields[field];
    block.write(text, from, length, "latin1");
  };
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;
  put("name", name);
  put("mode", octal(0o600, 8));
  put("uid", octal(0, 8));
  put("gid", octal(0, 8));
  put("size", octal(size, 12));
  put("mtime", octal(Math.floor(time / 1000), 12));
  put("type", type);
  put("magic", "ustar\x0000");
  put("checksum", `${octal(checksumOf(block), 7)} `);
  return block;
}

/** Checksum of a header, with its own field counted as spaces. */
function checksumOf(block: Buffer): number {
  const [from, length] = fields.checksum;
  return block.reduce((sum, byte, at) => sum + (at >= from && at < from + length ? 32 : byte), 0);
}

/** All blocks of an entry: records, header and bytes. @param time  epoch milliseconds */
export function entryBytes(name: string, bytes: Buffer, hash: string, time: number): readonly Buffer[] {
  if (name.length > fields.name[1] || bytes.length > maxEntryBytes) throw new Error(`${name} does not fit into an entry`);
  const record = recordOf(`${hashRecord}:${hash}`);
  return [
    headerBlock({ name: "pax", type: "x", size: record.length }, time),
    record,
    Buffer.alloc(padding(record.length)),
    headerBlock({ name, type: "0", size: bytes.length }, time),
    bytes,
    Buffer.alloc(padding(bytes.length)),
  ];
}

/** Two empty blocks mark the end of the archive. */
export const endBlocks = (): Buffer => Buffer.alloc(2 * blockBytes);

/** A pax record, `"<length> <key>=<value>\n"`. The length includes its own digits. */
function recordOf(text: string): Buffer {
  const rest = ` ${text}\n`;
  const digits = `${rest.length + 2}`.length;
  return Buffer.from(`${rest.length + digits}${rest}`);
}

/** Returns the hash in an entry's records; undefined if there is none. */
export const hashIn = (records: Buffer): string | undefined =>
  new RegExp(`^\\d+ ${hashRecord}:([0-9a-f]{64})$`, "m").exec(records.toString())?.[1];

/** @returns "end" for an empty block; undefined if the block is not a header that Parley writes */
export function readHeader(block: Buffer): TarHeader | "end" | undefined {
  if (block.every((byte) => byte === 0)) return "end";
  const text = (field: HeaderField): string => {
    const [from, length] = fields[field];
    return block.toString("latin1", from, from + length).replace(/\0.*$/s, "");
  };
  const [size, checksum] = [parseInt(text("size"), 8), parseInt(text("checksum"), 8)];
  if (!text("magic").startsWith("ustar") || checksum !== checksumOf(block) || !(size <= maxEntryBytes)) return undefined;
  return { name: text("name"), type: text("type"), size };
}
