/**
 * Removes files that nothing refers to. A process may die between reserving, writing, inspecting, and the commit that refers to the file.
 * This leaves a row that is not `kept`; after the grace period the purpose's service is asked whether the file is in use. A process may
 * also die between dropping a row and removing its bytes, or write late, so dropped rows are checked once more.
 */
import { codeOf } from "../../../core/errors.ts";
import { dropFile, removeBytes } from "./removal.ts";
import type { MediaContext } from "../context.ts";
import { rawKey, type Purpose } from "../contract.ts";
import { filesInStateSince, deleteFileRow, changeFileState, type MediaFileRow, type FileState } from "../files.repository.ts";

/** Number of sweeps during the grace period. */
const sweepsPerGrace = 12;
const minPauseMs = 500;
/** Longest delay of the first sweep. The services that it asks may not have started yet. */
const maxFirstPauseMs = 10_000;

/**
 * Sweeps soon and then at intervals. Several nodes can sweep at once: each change expects the row that was read.
 * @returns stops it, and waits for a running sweep
 */
export function startSweeper(context: MediaContext): () => Promise<void> {
  const pauseMs = Math.max(minPauseMs, context.graceMs / sweepsPerGrace);
  let isStopped = false;
  let running = Promise.resolve();
  let timer = setTimeout(begin, Math.min(pauseMs, maxFirstPauseMs));

  function begin(): void {
    running = sweep(context, () => isStopped)
      .catch((error: unknown) => context.log.warn(`unused files stay for now: ${(error as Error).message}`))
      .then(() => {
        if (!isStopped) timer = setTimeout(begin, pauseMs);
      });
  }
  return () => {
    isStopped = true;
    clearTimeout(timer);
    return running;
  };
}

/** Checks all rows that have been reserved, ready or dropped for longer than the grace period. */
export async function sweep(context: MediaContext, isStopped: () => boolean): Promise<void> {
  const before = context.clock.now() - context.graceMs;
  await eachPage("dropped", (rows) => eachRow(rows, (row) => deleteDropped(context, row)));
  for (const state of ["reserved", "ready"] as const) {
    await eachPage(state, async (rows) => {
      for (const [purpose, some] of Map.groupBy(rows, ({ purpose }) => purpose)) await keepOrDrop(context, purpose, some);
    });
  }

  async function eachPage(state: FileState, apply: (rows: readonly MediaFileRow[]) => Promise<void>): Promise<void> {
    for (let last: MediaFileRow | undefined; !isStopped();) {
      const rows = await filesInStateSince(context.db, state, before, last);
      if (rows.length === 0) return;
      await apply(rows);
      last = rows.at(-1);
    }
  }
}

/** Keeps those of the files, all of one purpose, that are in use, and drops the others. An unavailable service is asked next time. */
async function keepOrDrop(context: MediaContext, purpose: Purpose, rows: readonly MediaFileRow[]): Promise<void> {
  const answer = await context
    .filesInUse(
      purpose,
      rows.map(({ _id }) => _id),
    )
    .catch((error: unknown) => {
      context.log.warn(`could not find out which files of purpose ${purpose} are in use: ${(error as Error).message}`);
      return undefined;
    });
  if (answer === undefined) return;
  const used = new Set(answer);
  await eachRow(rows, (row) => (used.has(row._id) ? markKept(context, row) : dropFile(context, row)));
}

/** Removes the original of an image, in case that failed after its inspection. */
async function markKept({ db, blobs }: MediaContext, row: MediaFileRow): Promise<void> {
  if (row.hasThumb) await blobs.remove([rawKey(row._id)]);
  await changeFileState(db, row, "kept");
}

async function deleteDropped({ db, blobs, areBlobsHeld }: MediaContext, { _id }: MediaFileRow): Promise<void> {
  if (await areBlobsHeld()) return;
  await removeBytes(blobs, _id);
  await deleteFileRow(db, _id);
}

/** Handles one row after the other. Skips rows that changed meanwhile. */
async function eachRow(rows: readonly MediaFileRow[], apply: (row: MediaFileRow) => Promise<void>): Promise<void> {
  for (const row of rows) {
    await apply(row).catch((error: unknown) => {
      if (codeOf(error) !== "CONFLICT") throw error;
    });
  }
}
