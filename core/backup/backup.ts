/**
 * A backup: the rows of one moment, then the bytes of all files that these rows name. Files are never written over, so only their
 * removal could make a difference; it is held up from before that moment until the end, by a row that every node reads before it
 * removes bytes. The row ends by itself, so that a backup that died does not hold them for ever.
 */
import { setTimeout as pause } from "node:timers/promises";
import { buffer } from "node:stream/consumers";
import type { Blobs } from "../blobs/blobs.ts";
import { CommandError } from "../errors.ts";
import { faultPoint } from "../fault-points.ts";
import { newId } from "../ids.ts";
import { updateFacts, firstEra, holds, readFacts } from "../node/installation.ts";
import { schemas, type SchemaRow } from "../store/migrations.ts";
import { remove, upsert, type Collection, type Doc } from "../store/store.ts";
import type { StoreSnapshot } from "../store/contents.ts";
import type { ServiceData } from "./service-data.ts";
import { formatVersion, type BackupManifest } from "./format.ts";
import type { InstallationData } from "./installation-data.ts";
import { readArchive } from "./archive-reader.ts";
import { ArchiveWriter, removePartial, partialPath, renameWhole } from "./archive-writer.ts";

export interface BackupContext {
  readonly data: InstallationData;
  readonly declared: readonly ServiceData[];
  readonly file: string;
  /** Of the program. */
  readonly version: string;
  /** The source stands still, and is not to be started again. */
  readonly isMove: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** For so long bytes are held after the last word of a backup. */
const holdMs = 10 * 60_000;
const holdAgainMs = 60_000;
/** Files read at once: from a remote storage most of the time is waiting. */
const filesAtOnce = 8;

/**
 * Writes a backup, reads it back, and gives it its name.
 * @throws CommandError  why there is none; nothing of it is left then
 */
export async function backUp(context: BackupContext): Promise<BackupManifest> {
  const { data, file, isMove, signal } = context;
  const { movedAt = null } = await readFacts(data.facts);
  if (isMove) {
    await data.assertIdle();
    // Marked first: nobody starts it again between what is read and what is written elsewhere.
    await updateFacts(data.facts, { movedAt: await data.store.time() });
  }
  const hold = await holdBlobs(data);
  let made: { readonly manifest: BackupManifest; readonly problem: string | undefined };
  try {
    const manifest = await write(context);
    const problem = await readBack(context, manifest);
    // The source goes on only where it can be restored.
    if (isMove && problem !== undefined) throw new CommandError(`The store can't be moved: ${problem}`);
    await hold.refuseLapsed();
    signal.throwIfAborted();
    await renameWhole(file);
    made = { manifest, problem };
  } catch (error) {
    await removePartial(file);
    // Not simply none: what was moved before still is.
    if (isMove) await updateFacts(data.facts, { movedAt });
    throw error;
  } finally {
    await hold.release();
  }
  // The file has its name: nothing takes it back from here on.
  const { manifest, problem } = made;
  if (problem !== undefined)
    throw new CommandError(`${file} is written, but the store it was read from is broken, and a restore refuses it as it is: ${problem}`);
  await recordBackupTime(context);
  return manifest;
}

/** @returns what is wrong with the rows of the store, if anything is */
async function readBack({ file, declared, signal }: BackupContext, { sha256 }: BackupManifest): Promise<string | undefined> {
  const { manifest, problem } = await readArchive(partialPath(file), declared, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new CommandError(`What was written can't be read back: ${(error as Error).message}`);
  });
  if (manifest.sha256 !== sha256) throw new CommandError("What was read back is not what was written");
  return problem;
}

async function recordBackupTime({ data: { facts, store }, say }: BackupContext): Promise<void> {
  try {
    await updateFacts(facts, { lastBackupAt: await store.time() });
  } catch (error) {
    say(`The backup is whole, but its time could not be noted, and the alert for old backups may fire: ${(error as Error).message}`);
  }
}

async function write({ data, declared, file, version, isMove, say, signal }: BackupContext): Promise<BackupManifest> {
  const { contents, blobs, facts } = data;
  const snapshot = await contents.snapshot(say);
  try {
    const createdAt = new Date(await data.store.time()).toISOString();
    const { era } = await readFacts(facts);
    const archive = await ArchiveWriter.begin(file, { parleyBackup: formatVersion, version, createdAt });
    try {
      const keys: string[] = [];
      const versions = Object.fromEntries(declared.map(({ service }) => [service, 1]));
      for (const { service, collections } of declared) {
        faultPoint("backup.rows");
        for (const c of collections) await archive.rows(service, c.name, collecting(snapshot, service, c, { keys, versions }, signal));
      }
      await snapshot.close();
      faultPoint("backup.files");
      for await (const [key, bytes] of readBlobs(blobs, keys, signal)) await archive.blob(key, bytes);
      return await archive.finish({ store: contents.kind, era: era ?? firstEra, isMove, schemas: versions });
    } finally {
      await archive.close();
    }
  } finally {
    await snapshot.close();
  }
}

/** What is learnt from rows as they pass: the keys of blobs, about 100 bytes of memory each, and schema versions. */
interface CollectedFacts {
  readonly keys: string[];
  readonly versions: Record<string, number>;
}

async function* collecting(
  snapshot: StoreSnapshot,
  service: string,
  c: Collection,
  { keys, versions }: CollectedFacts,
  signal: AbortSignal,
) {
  const { blobs } = c as Collection<Doc>;
  for await (const page of snapshot.rows(service, c)) {
    signal.throwIfAborted();
    if (blobs !== undefined) for (const row of page) keys.push(...blobs(JSON.parse(row) as Doc));
    // In the middle of a migration rows may be of the one and the other: `oldest` says who can read both.
    if (c.name === schemas.name) for (const row of page) versions[service] = newestOf(JSON.parse(row) as SchemaRow);
    yield page;
  }
}

const newestOf = ({ version, oldest }: SchemaRow): number => Math.max(version, oldest);

/** The bytes of each key, in order, some being read ahead; undefined where there are none. */
async function* readBlobs(
  blobs: Blobs,
  keys: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<readonly [string, Buffer | undefined]> {
  const ahead: Promise<Buffer | undefined>[] = [];
  const start = (key: string) => {
    const bytes = blobs.read(key).then((stream) => stream && buffer(stream));
    bytes.catch(() => undefined); // Whoever awaits it is told.
    ahead.push(bytes);
  };
  keys.slice(0, filesAtOnce).forEach(start);
  for (const [index, key] of keys.entries()) {
    signal.throwIfAborted();
    const bytes = await ahead.shift();
    const next = keys[index + filesAtOnce];
    if (next !== undefined) start(next);
    yield [key, bytes];
  }
}

interface Hold {
  /** @throws CommandError  for some time it held nothing: bytes that the rows name may be gone */
  readonly refuseLapsed: () => Promise<void>;
  /** If it can't be removed now, it ends by itself. */
  readonly release: () => Promise<void>;
}

/** Keeps all nodes from removing bytes. */
async function holdBlobs({ facts, store }: InstallationData): Promise<Hold> {
  const _id = newId();
  const ending = new AbortController();
  let [until, hasLapsed] = [Infinity, false];
  const hold = async () => {
    const now = await store.time();
    if (now > until) hasLapsed = true;
    await facts.commit([upsert(holds, { _id }, { until: now + holdMs }, {})]);
    until = now + holdMs;
  };
  await hold();
  const ended = await facts.page(holds, { index: "byEnd", before: [await store.time()], limit: 100 });
  if (ended.length > 0) await facts.commit(ended.map((one) => remove(holds, { _id: one._id })));
  const holdOn = async () => {
    for (;;) {
      await pause(holdAgainMs, undefined, { signal: ending.signal, ref: false });
      await hold().catch(() => undefined); // The next one may go through: there is time for ten.
    }
  };
  const holding = holdOn().catch(() => undefined);
  return {
    async refuseLapsed() {
      if (hasLapsed || (await store.time()) > until)
        throw new CommandError("The backup stood still for too long: files may have been removed meanwhile. Run it again");
    },
    async release() {
      ending.abort();
      await holding;
      await facts.commit([remove(holds, { _id })]).catch(() => undefined);
    },
  };
}
