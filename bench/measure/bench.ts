/** Defines a bench: a measurement that produces rows of a table. */
import type { ResultRow } from "./table.ts";

export type BenchMode = "embedded" | "mesh";

export interface BenchOptions {
  /** Whether Parley runs embedded or as a mesh. */
  readonly world: BenchMode;
  /** Number of pairs of measurements, ours and the baseline's. */
  readonly pairs: number;
  /** Length of each measurement in milliseconds. */
  readonly windowMs: number;
  /** Adds a note below the table, e.g. the driven rate or what limited a side. */
  readonly note: (text: string) => void;
}

export interface Bench {
  /** Name for `--only`. */
  readonly name: string;
  readonly title: string;
  readonly worlds: readonly BenchMode[];
  /** Starts the processes it needs, and stops them all. */
  readonly run: (options: BenchOptions) => Promise<ResultRow[]>;
}
