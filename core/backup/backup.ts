/**
 * Writes a backup: the rows of one moment, then the bytes of all files that these rows name. Files are never overwritten, so only their
 * removal could matter. A row that every node reads before it removes bytes holds removals from before that moment until the end. The row
 * expires, so that a backup that died does not hold removals for ever.
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
  /** Version of the program. */
  readonly version: string;
  /** The source is stopped and must not be started again. */
  readonly isMove: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** How long a hold lasts after its last renewal. */
const holdMs = 10 * 60_000;
const holdAgainMs = 60_000;
/** Number of files read concurrently: with remote storage most of the time is waiting. */
const filesAtOnce = 8;

/**
 * Writes a backup, reads it back, and gives the file its name.
 * @throws CommandError  why there is no backup; nothing of it remains then
 */
export async function backUp(context: BackupContext): Promise<BackupManifest> {
  const { data, file, isMove, signal } = context;
  const { movedAt = null } = await readFacts(data.facts);
  if (isMove) {
    await data.assertIdle();
    // Marked first, so that the source can't be started again after it was read.
    await updateFacts(data.facts, { movedAt: await data.store.time() });
  }
  const hold = await holdBlobs(data);
  let made: { readonly manifest: BackupManifest; readonly problem: string | undefined };
  try {
    const manifest = await write(context);
    const problem = await readBack(context, manifest);
    // Move only what can be restored, since the source stays stopped.
    if (isMove && problem !== undefined) throw new CommandError(`The store can't be moved: ${problem}`);
    await hold.refuseLapsed();
    signal.throwIfAborted();
    await renameWhole(file);
    made = { manifest, problem };
  } catch (error) {
    await removePartial(file);
    // Restore the previous value: a source that was moved before still is.
    if (isMove) await updateFacts(data.facts, { movedAt });
    throw error;
  } finally {
    await hold.release();
  }
  // The file has its name. Errors from here on don't remove it.
  const { manifest, problem } = made;
  if (problem !== undefined)
    throw new CommandError(`${file} is written, but its source store is broken, so a restore will refuse it: ${problem}`);
  await recordBackupTime(context);
  return manifest;
}

/** @returns what is wrong with the store's rows, if anything */
async function readBack({ file, declared, signal }: BackupContext, { sha256 }: BackupManifest): Promise<string | undefined> {
  const { manifest, problem } = await readArchive(partialPath(file), declared, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new CommandError(`The backup can't be read back: ${(error as Error).message}`);
  });
  if (manifest.sha256 !== sha256) throw new CommandError("The backup read back differs from the one written");
  return problem;
}

async function recordBackupTime({ data: { facts, store }, say }: BackupContext): Promise<void> {
  try {
    await updateFacts(facts, { lastBackupAt: await store.time() });
  } catch (error) {
    say(`The backup is complete, but its time could not be stored, so the alert for old backups may fire: ${(error as Error).message}`);
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

/** Collected while rows pass: the keys of blobs (about 100 bytes of memory each) and schema versions. */
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
    // During a migration some rows may have the old and some the new schema. `oldest` says which program can read both.
    if (c.name === schemas.name) for (const row of page) versions[service] = newestOf(JSON.parse(row) as SchemaRow);
    yield page;
  }
}

const newestOf = ({ version, oldest }: SchemaRow): number => Math.max(version, oldest);

/** Yields the bytes of each key in order, and reads some ahead; undefined for a key without bytes. */
async function* readBlobs(
  blobs: Blobs,
  keys: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<readonly [string, Buffer | undefined]> {
  const ahead: Promise<Buffer | undefined>[] = [];
  const start = (key: string) => {
    const bytes = blobs.read(key).then((stream) => stream && buffer(stream));
    bytes.catch(() => undefined); // The error surfaces where the promise is awaited.
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
  /** @throws CommandError  the hold had expired for some time, so that bytes which the rows name may be gone */
  readonly refuseLapsed: () => Promise<void>;
  /** If the row can't be removed now, it expires by itself. */
  readonly release: () => Promise<void>;
}

/** Keeps all nodes from removing bytes until `release`. */
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
      await hold().catch(() => undefined); // A later renewal may succeed: a hold lasts for ten of them.
    }
  };
  const holding = holdOn().catch(() => undefined);
  return {
    async refuseLapsed() {
      if (hasLapsed || (await store.time()) > until)
        throw new CommandError("The backup was paused for too long, and files may have been removed meanwhile. Run it again");
    },
    async release() {
      ending.abort();
      await holding;
      await facts.commit([remove(holds, { _id })]).catch(() => undefined);
    },
  };
}
