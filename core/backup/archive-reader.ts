/** Reads a backup file from start to end and verifies the hash of each entry, the manifest's counts, and the rows. */
import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { CommandError } from "../errors.ts";
import type { Doc } from "../store/store.ts";
import type { ServiceData } from "./service-data.ts";
import type { RowVerifier } from "../store/contents.ts";
import { parseEntryName, digestLine, formatVersion, entryNames, type BackupHeader, type BackupManifest } from "./format.ts";
import { blockBytes, hashIn, maxEntryBytes, padding, readHeader, sha256, type TarHeader } from "./tar.ts";

const unzip = promisify(gunzip);
/** Maximum size of an unpacked entry of rows. */
const maxRowBytes = 4 * maxEntryBytes;

export type BackupEntry =
  | { readonly is: "rows"; readonly service: string; readonly collection: string; readonly rows: () => Promise<Doc[]> }
  | { readonly is: "blob"; readonly key: string; readonly bytes: Buffer }
  | { readonly is: "manifest"; readonly manifest: BackupManifest };

/**
 * Reads the entries of a file after its head; the manifest comes last.
 * @throws CommandError  the file is missing, not a backup, from a newer release, truncated, or damaged
 */
export async function* entriesOf(file: string, signal?: AbortSignal): AsyncGenerator<BackupEntry> {
  const handle = await open(file).catch((error: unknown) => {
    throw new CommandError(`${file} can't be read: ${(error as Error).message}`);
  });
  const digest = createHash("sha256");
  try {
    await readHead(handle, file, digest);
    for (;;) {
      signal?.throwIfAborted();
      const before = digest.copy();
      const { name, bytes, hash } = await readEntry(handle, file);
      digest.update(digestLine(name, hash));
      const content = parseEntryName(name);
      if (content === undefined) throw damaged(file, `it has an unknown entry ${name}`);
      if (content.is === "rows") yield { ...content, rows: () => parseRows(bytes, `${file}: ${name}`) };
      else if (content.is === "blob") yield { ...content, bytes };
      else {
        const manifest = JSON.parse(bytes.toString()) as BackupManifest;
        if (manifest.sha256 !== before.digest("hex")) throw damaged(file, "entries are missing or out of order");
        yield { is: "manifest", manifest };
        return;
      }
    }
  } finally {
    await handle.close();
  }
}

const damaged = (file: string, why: string): CommandError => new CommandError(`${file} is damaged: ${why}`);
const notABackup = (file: string): CommandError => new CommandError(`${file} is not a backup of Parley`);

async function readHead(handle: FileHandle, file: string, digest: ReturnType<typeof createHash>): Promise<void> {
  const first = await readBlock(handle).catch(() => undefined);
  const header = first === undefined || first.length < blockBytes ? undefined : readHeader(first);
  if (header === undefined || header === "end") throw notABackup(file);
  const { name, bytes, hash } = await readEntry(handle, file, header);
  if (name !== entryNames.head) throw notABackup(file);
  digest.update(digestLine(name, hash));
  const { parleyBackup: format, version } = JSON.parse(bytes.toString()) as BackupHeader;
  if (typeof format !== "number") throw notABackup(file);
  if (format > formatVersion) {
    throw new CommandError(
      `${file} was written by a newer release (${version}, format ${format}; this one knows ${formatVersion}): use that release`,
    );
  }
}

/** @param first  the header, if it was read already */
async function readEntry(handle: FileHandle, file: string, first?: TarHeader): Promise<{ name: string; bytes: Buffer; hash: string }> {
  const records = first ?? (await nextHeader(handle, file));
  if (records.type !== "x") throw notABackup(file);
  const hash = hashIn(await readBody(handle, file, records.size));
  const header = await nextHeader(handle, file);
  const bytes = await readBody(handle, file, header.size);
  if (hash === undefined || sha256(bytes) !== hash) throw damaged(file, `the bytes of ${header.name} differ from those that were written`);
  return { name: header.name, bytes, hash };
}

async function nextHeader(handle: FileHandle, file: string): Promise<TarHeader> {
  const block = await readBlock(handle);
  if (block.length < blockBytes) throw damaged(file, "it ends too early");
  const header = readHeader(block);
  if (header === undefined) throw damaged(file, "an entry's header can't be read");
  if (header === "end") throw damaged(file, "it ends without its manifest");
  return header;
}

async function readBody(handle: FileHandle, file: string, size: number): Promise<Buffer> {
  const bytes = await readBytes(handle, size + padding(size));
  if (bytes.length < size + padding(size)) throw damaged(file, "it ends too early");
  return bytes.subarray(0, size);
}

const readBlock = (handle: FileHandle): Promise<Buffer> => readBytes(handle, blockBytes);

/** Reads `size` bytes, or fewer at the end of the file. */
async function readBytes(handle: FileHandle, size: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(buffer, filled, size - filled, null);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

async function parseRows(bytes: Buffer, where: string): Promise<Doc[]> {
  try {
    const text = (await unzip(bytes, { maxOutputLength: maxRowBytes })).toString();
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Doc]));
  } catch (error) {
    throw new CommandError(`${where} is damaged: ${(error as Error).message}`);
  }
}

/**
 * Reads a whole file and checks that it can be restored.
 * @returns its manifest
 * @throws CommandError  the reason why it can't be restored
 */
export async function verifyArchive(file: string, declared: readonly ServiceData[]): Promise<BackupManifest> {
  const { manifest, problem } = await readArchive(file, declared);
  if (problem !== undefined) throw damaged(file, problem);
  return manifest;
}

/**
 * Reads a whole file.
 * @returns its manifest, and what is wrong with its rows, if anything
 * @throws CommandError  the file differs from what was written
 */
export async function readArchive(
  file: string,
  declared: readonly ServiceData[],
  signal?: AbortSignal,
): Promise<{ readonly manifest: BackupManifest; readonly problem: string | undefined }> {
  const verifiers = new Map<string, RowVerifier>();
  for (const { service, restoring } of declared) if (restoring?.verify !== undefined) verifiers.set(service, restoring.verify());
  const known = new Set(declared.flatMap(({ service, collections }) => collections.map(({ name }) => `${service}.${name}`)));
  const counts = new Map<string, number>();
  let blobs = 0;
  for await (const entry of entriesOf(file, signal)) {
    if (entry.is === "manifest") {
      compareCounts(file, entry.manifest, counts, blobs);
      assertNotNewer(file, entry.manifest, declared);
      const problem = [...verifiers.values()].map((verifier) => verifier.problem()).find((found) => found !== undefined);
      return { manifest: entry.manifest, problem };
    }
    if (entry.is === "blob") blobs++;
    else {
      const { service, collection } = entry;
      const name = `${service}.${collection}`;
      if (!known.has(name))
        throw new CommandError(`${file} holds rows of ${name}, which this release does not know: use the release that wrote it`);
      const rows = await entry.rows();
      counts.set(name, (counts.get(name) ?? 0) + rows.length);
      for (const row of rows) verifiers.get(service)?.check(collection, row);
    }
  }
  throw damaged(file, "it ends without its manifest");
}

function compareCounts(file: string, manifest: BackupManifest, counts: ReadonlyMap<string, number>, blobs: number): void {
  const wrong = Object.entries(manifest.rows).find(([name, count]) => (counts.get(name) ?? 0) !== count)?.[0];
  const extra = [...counts.keys()].find((name) => !Object.hasOwn(manifest.rows, name));
  if (wrong !== undefined || extra !== undefined) throw damaged(file, `its number of rows of ${wrong ?? extra} differs from the manifest`);
  if (blobs !== manifest.blobs.files) throw damaged(file, "its number of files differs from the manifest");
}

function assertNotNewer(file: string, { version, schemas }: BackupManifest, declared: readonly ServiceData[]): void {
  for (const { service, schema } of declared) {
    const written = schemas[service] ?? 1;
    if (written > schema) {
      throw new CommandError(
        `${file} was written by a newer release (${version}: the data of ${service} has schema ${written}, this release knows ${schema}): use that release`,
      );
    }
  }
}
