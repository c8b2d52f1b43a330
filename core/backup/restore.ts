/**
 * A restore. Nothing is written before the whole file is known to be good and the target to be empty and idle. Then a mark keeps
 * nodes from starting until all is there: whatever ends a restore on its way, the next one finds the mark and begins anew.
 */
import { Readable } from "node:stream";
import { CommandError } from "../errors.ts";
import { faultPoint } from "../faults.ts";
import { changeFacts, readFacts } from "../installation.ts";
import type { DeclaredDatabase } from "../store/contents.ts";
import { schemas } from "../store/migrations.ts";
import { insert, type Collection, type Database, type Doc, type Operation } from "../store/store.ts";
import type { Declared } from "./declared.ts";
import { newEra, prepare } from "./era.ts";
import type { Manifest } from "./format.ts";
import { transient, type Place } from "./places.ts";
import { entriesOf } from "./reading.ts";

export interface Restore {
  readonly place: Place;
  readonly declared: readonly Declared[];
  readonly file: string;
  readonly manifest: Manifest;
  /** It goes on where its source stopped: in the same era. */
  readonly isMove: boolean;
  readonly signal: AbortSignal;
}

/** Rows of one commit, and their JSON's length. */
const most = { rows: 500, chars: 1_000_000 };
/** Commits under way at once. */
const commitsAtOnce = 4;
const filesAtOnce = 8;
const keysAtOnce = 500;

/** @throws CommandError  its source may have gone on since, so that its era must not */
export function refuseNoMove({ isMove }: Manifest): void {
  if (!isMove) {
    throw new CommandError("--move needs a backup that was made with --move: of a source that is stopped, and is not started again");
  }
}

/**
 * Whether anything can be restored there.
 * @throws CommandError  why not
 */
export async function refuseUnfitTarget({ place, declared }: Pick<Restore, "place" | "declared">): Promise<void> {
  await place.refuseBusy();
  // What an unfinished restore left there is written over.
  if ((await readFacts(place.facts)).restoringSince != null) return;
  const filled = await place.contents.firstFilled([...declared.map(withoutSchema), ...transient]);
  if (filled !== undefined) throw new CommandError(`The target is not empty: there are rows of ${filled}. Restore into an empty store`);
  for await (const key of place.blobs.keys())
    throw new CommandError(`The target is not empty: there is a file ${key}. Restore into an empty store`);
}

/** A node that started there once has left the row of its schema. */
const withoutSchema = ({ service, collections }: Declared): DeclaredDatabase => ({
  service,
  collections: collections.filter((c) => c !== schemas),
});

/** Restores; the target is fit. @throws CommandError  it holds a part then, on which no node starts */
export async function restore(work: Restore): Promise<void> {
  const { place, declared, manifest, isMove } = work;
  const { facts } = place;
  await changeFacts(facts, { restoringSince: await place.store.time() });
  // A node that started before it could see the mark.
  await place.refuseBusy();
  await place.contents.erase([...declared, ...transient]);
  await eraseBlobs(place);
  await place.forget();
  await write(work);
  await prepare(place, declared, !isMove);
  await changeFacts(facts, { era: isMove ? manifest.era : newEra(), movedAt: null, lastBackupAt: null, restoringSince: null });
}

async function eraseBlobs({ blobs }: Place): Promise<void> {
  let keys: string[] = [];
  for await (const key of blobs.keys()) {
    keys.push(key);
    if (keys.length < keysAtOnce) continue;
    await blobs.remove(keys);
    keys = [];
  }
  if (keys.length > 0) await blobs.remove(keys);
}

async function write({ place, declared, file, signal }: Restore): Promise<void> {
  const databases = new Map<string, Database>();
  for (const { service, collections } of declared) databases.set(service, await place.store.open(service, collections));
  const collections = new Map(declared.flatMap(({ service, collections: all }) => all.map((c) => [`${service}.${c.name}`, c] as const)));
  const commits = atOnce(commitsAtOnce);
  const files = atOnce(filesAtOnce);
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
      await files.run(() => place.blobs.write(entry.key, Readable.from([entry.bytes]), entry.bytes.length));
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
    if (batch.length < most.rows && chars < most.chars) continue;
    yield batch;
    [batch, chars] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** Runs so many at once; `run` waits while there are as many, and says what went wrong with an earlier one. */
function atOnce(limit: number) {
  const underWay: Promise<unknown>[] = [];
  return {
    async run(work: () => Promise<unknown>): Promise<void> {
      if (underWay.length >= limit) await underWay.shift();
      const started = work();
      started.catch(() => undefined);
      underWay.push(started);
    },
    async end(): Promise<void> {
      for (const one of underWay) await one;
    },
  };
}
