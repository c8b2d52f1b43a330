/**
 * Removes what nothing came to refer to. A process may die between any two of: reserving, writing, judging, and the commit that
 * refers to the file; what is left is a row that is not `kept`, and after a while the purpose's service says whether it is in use.
 * A process may also die between dropping a row and removing its bytes, or write to it late: so dropped rows are gone over once more.
 */
import { codeOf } from "../../core/errors.ts";
import { drop, removeBytes, type Keeping } from "./admission.ts";
import { rawKey, type Purpose } from "./contract.ts";
import { filesBefore, forgetFile, moveFile, type FileRow, type FileState } from "./files.repository.ts";

export interface Sweeper {
  /** Waits for the sweep under way. */
  readonly stop: () => Promise<void>;
}

/** How often a file is looked at while it may be unused. */
const sweepsPerGrace = 12;
const shortestPauseMs = 500;
/** Those who are asked need not have started yet. */
const longestFirstPauseMs = 10_000;

/** Sweeps soon and then again and again. Several nodes may do so at once: each change expects the row as it was read. */
export function startSweeper(keeping: Keeping): Sweeper {
  const pauseMs = Math.max(shortestPauseMs, keeping.graceMs / sweepsPerGrace);
  let isStopped = false;
  let running = Promise.resolve();
  let timer = setTimeout(begin, Math.min(pauseMs, longestFirstPauseMs));

  function begin(): void {
    running = sweep(keeping, () => isStopped)
      .catch((error: unknown) => keeping.log.warn(`unused files stay for now: ${(error as Error).message}`))
      .then(() => {
        if (!isStopped) timer = setTimeout(begin, pauseMs);
      });
  }
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Goes over all rows that have been in an unsettled state for longer than the grace. */
export async function sweep(keeping: Keeping, isStopped: () => boolean): Promise<void> {
  const before = keeping.clock.now() - keeping.graceMs;
  await eachPage("dropped", (rows) => eachRow(rows, (row) => forget(keeping, row)));
  for (const state of ["reserved", "ready"] as const) {
    await eachPage(state, async (rows) => {
      for (const [purpose, some] of Map.groupBy(rows, ({ purpose }) => purpose)) await settle(keeping, purpose, some);
    });
  }

  async function eachPage(state: FileState, work: (rows: readonly FileRow[]) => Promise<void>): Promise<void> {
    for (let last: FileRow | undefined; !isStopped();) {
      const rows = await filesBefore(keeping.db, state, before, last);
      if (rows.length === 0) return;
      await work(rows);
      last = rows.at(-1);
    }
  }
}

/** Files of one purpose: those in use are kept from now on, the others go. A service that is away is asked the next time. */
async function settle(keeping: Keeping, purpose: Purpose, rows: readonly FileRow[]): Promise<void> {
  const answer = await keeping
    .inUse(
      purpose,
      rows.map(({ _id }) => _id),
    )
    .catch((error: unknown) => {
      keeping.log.warn(`nobody says which files of purpose ${purpose} are in use: ${(error as Error).message}`);
      return undefined;
    });
  if (answer === undefined) return;
  const used = new Set(answer);
  await eachRow(rows, (row) => (used.has(row._id) ? keep(keeping, row) : drop(keeping, row)));
}

/** Its original was removed when it was judged; if that failed, it is now. */
async function keep({ db, blobs }: Keeping, row: FileRow): Promise<void> {
  if (row.hasThumb) await blobs.remove([rawKey(row._id)]);
  await moveFile(db, row, "kept");
}

async function forget({ db, blobs, areBlobsHeld }: Keeping, { _id }: FileRow): Promise<void> {
  if (await areBlobsHeld()) return;
  await removeBytes(blobs, _id);
  await forgetFile(db, _id);
}

/** One after the other; who changed a row meanwhile knows better. */
async function eachRow(rows: readonly FileRow[], work: (row: FileRow) => Promise<void>): Promise<void> {
  for (const row of rows) {
    await work(row).catch((error: unknown) => {
      if (codeOf(error) !== "CONFLICT") throw error;
    });
  }
}
