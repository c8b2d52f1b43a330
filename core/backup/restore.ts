/**
 * Restores a backup. Writes nothing before the whole file is verified and the target is known to be empty and idle. Then a mark keeps nodes
 * from starting until the restore is complete. An interrupted restore leaves the mark, and the next one starts over.
 */
import { Readable } from "node:stream";
import { CommandError } from "../errors.ts";
import { faultPoint } from "../fault-points.ts";
import { updateFacts, readFacts } from "../node/installation.ts";
import type { DeclaredDatabase } from "../store/contents.ts";
import { schemas } from "../store/migrations.ts";
import { insert, type Collection, type Database, type Doc, type Operation } from "../store/store.ts";
import type { ServiceData } from "./service-data.ts";
import { newEra, prepareServices } from "./era.ts";
import type { BackupManifest } from "./format.ts";
import { transientCollections, type InstallationData } from "./installation-data.ts";
import { entriesOf } from "./archive-reader.ts";

export interface RestoreContext {
  readonly data: InstallationData;
  readonly declared: readonly ServiceData[];
  readonly file: string;
  readonly manifest: BackupManifest;
  /** The target continues its source's era. */
  readonly isMove: boolean;
  readonly signal: AbortSignal;
}

/** Maximum rows of one commit, and the length of their JSON. */
const maxCommit = { rows: 500, chars: 1_000_000 };
/** Concurrent commits. */
const commitsAtOnce = 4;
const filesAtOnce = 8;
const keysAtOnce = 500;

/** @throws CommandError  the source may have continued since, so its era can't be reused */
export function assertIsMove({ isMove }: BackupManifest): void {
  if (!isMove) {
    throw new CommandError("--move needs a backup that was made with --move, from a source that is stopped and won't be started again");
  }
}

/**
 * Checks that a restore into this target is possible.
 * @throws CommandError  why not
 */
export async function assertTargetUsable({ data, declared }: Pick<RestoreContext, "data" | "declared">): Promise<void> {
  await data.assertIdle();
  // The data of an unfinished restore is overwritten.
  if ((await readFacts(data.facts)).restoringSince != null) return;
  const filled = await data.contents.firstFilled([...declared.map(withoutSchema), ...transientCollections]);
  if (filled !== undefined) throw new CommandError(`The target is not empty: there are rows of ${filled}. Restore into an empty store`);
  for await (const key of data.blobs.keys())
    throw new CommandError(`The target is not empty: there is a file ${key}. Restore into an empty store`);
}

/** A node that was started on the target once has stored its schema row, which doesn't count as data. */
const withoutSchema = ({ service, collections }: ServiceData): DeclaredDatabase => ({
  service,
  collections: collections.filter((c) => c !== schemas),
});

/** Restores into a usable target. @throws CommandError  the target then holds part of the backup, and no node starts on it */
export async function restore(context: RestoreContext): Promise<void> {
  const { data, declared, manifest, isMove } = context;
  const { facts } = data;
  await updateFacts(facts, { restoringSince: await data.store.time() });
  // A node may have started before it could see the mark.
  await data.assertIdle();
  await data.contents.erase([...declared, ...transientCollections]);
  await eraseBlobs(data);
  await data.clearCaches();
  await write(context);
  await prepareServices(data, declared, !isMove);
  await updateFacts(facts, { era: isMove ? manifest.era : newEra(), movedAt: null, lastBackupAt: null, restoringSince: null });
}

async function eraseBlobs({ blobs }: InstallationData): Promise<void> {
  let keys: string[] = [];
  for await (const key of blobs.keys()) {
    keys.push(key);
    if (keys.length < keysAtOnce) continue;
    await blobs.remove(keys);
    keys = [];
  }
  if (keys.length > 0) await blobs.remove(keys);
}

async function write({ data, declared, file, signal }: RestoreContext): Promise<void> {
  const databases = new Map<string, Database>();
  for (const { service, collections } of declared) databases.set(service, await data.store.open(service, collections));
  const collections = new Map(declared.flatMap(({ service, collections: all }) => all.map((c) => [`${service}.${c.name}`, c] as const)));
  const commits = limitConcurrency(commitsAtOnce);
  const files = limitConcurrency(filesAtOnce);
  for await (const entry of entriesOf(file)) {
    signal.throwIfAborted();
    if (entry.is === "rows") {
      const db = databases.get(entry.service)!;
      const c = collections.get(`${entry.service}.${entry.collection}`) as Collection<Doc>;
      for (const batch of batches(await entry.rows())) {
        const operations: Operation[] = batch.map((row) => insert(c, row));
        await commits.run(() => db.commit(operations));
      }
      faultPoint("restore.rows");
    } else if (entry.is === "blob") {
      faultPoint("restore.files");
      await files.run(() => data.blobs.write(entry.key, Readable.from([entry.bytes]), entry.bytes.length));
    }
  }
  await commits.end();
  await files.end();
}

function* batches(rows: readonly Doc[]): Generator<readonly Doc[]> {
  let batch: Doc[] = [];
  let chars = 0;
  for (const row of rows) {
    batch.push(row);
    chars += JSON.stringify(row).length;
    if (batch.length < maxCommit.rows && chars < maxCommit.chars) continue;
    yield batch;
    [batch, chars] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** Limits concurrency: `run` waits while `limit` calls are running. An error of an earlier call rejects a later `run` or `end`. */
function limitConcurrency(limit: number) {
  const running: Promise<unknown>[] = [];
  return {
    async run(work: () => Promise<unknown>): Promise<void> {
      if (running.length >= limit) await running.shift();
      const started = work();
      started.catch(() => undefined);
      running.push(started);
    },
    async end(): Promise<void> {
      for (const pending of running) await pending;
    },
  };
}
