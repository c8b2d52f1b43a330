/**
 * Removes what nothing came to refer to. A process may die between any two of: reserving, writing, judging, and the commit that
 * refers to the file; what is left is a row that is not `kept`, and after a while the purpose's service says whether it is in use.
 * A process may also die between dropping a row and removing its bytes, or write to it late: so dropped rows are gone over once more.
 */
import { codeOf } from "../../../core/errors.ts";
import { dropFile, removeBytes } from "./removal.ts";
import type { MediaContext } from "../context.ts";
import { rawKey, type Purpose } from "../contract.ts";
import { filesInStateSince, deleteFileRow, changeFileState, type MediaFileRow, type FileState } from "../files.repository.ts";

/** How often a file is looked at while it may be unused. */
const sweepsPerGrace = 12;
const minPauseMs = 500;
/** Those who are asked need not have started yet. */
const maxFirstPauseMs = 10_000;

/** Sweeps soon and then again and again. Several nodes may do so at once: each change expects the row as it was read. @returns stops it, and waits for a sweep that is running */
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

/** Goes over all rows that have been in an unsettled state for longer than the grace. */
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

/** Files of one purpose: those in use are kept from now on, the others go. A service that is away is asked the next time. */
async function keepOrDrop(context: MediaContext, purpose: Purpose, rows: readonly MediaFileRow[]): Promise<void> {
  const answer = await context
    .filesInUse(
      purpose,
      rows.map(({ _id }) => _id),
    )
    .catch((error: unknown) => {
      context.log.warn(`nobody says which files of purpose ${purpose} are in use: ${(error as Error).message}`);
      return undefined;
    });
  if (answer === undefined) return;
  const used = new Set(answer);
  await eachRow(rows, (row) => (used.has(row._id) ? markKept(context, row) : dropFile(context, row)));
}

/** Its original was removed when it was judged; if that failed, it is now. */
async function markKept({ db, blobs }: MediaContext, row: MediaFileRow): Promise<void> {
  if (row.hasThumb) await blobs.remove([rawKey(row._id)]);
  await changeFileState(db, row, "kept");
}

async function deleteDropped({ db, blobs, areBlobsHeld }: MediaContext, { _id }: MediaFileRow): Promise<void> {
  if (await areBlobsHeld()) return;
  await removeBytes(blobs, _id);
  await deleteFileRow(db, _id);
}

/** One after the other; who changed a row meanwhile knows better. */
async function eachRow(rows: readonly MediaFileRow[], apply: (row: MediaFileRow) => Promise<void>): Promise<void> {
  for (const row of rows) {
    await apply(row).catch((error: unknown) => {
      if (codeOf(error) !== "CONFLICT") throw error;
    });
  }
}
