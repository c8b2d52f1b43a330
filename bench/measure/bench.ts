/** What a bench is: a question that is answered by measuring, in rows of a table. */
import type { ResultRow } from "./table.ts";

export type BenchMode = "embedded" | "mesh";

export interface BenchOptions {
  /** The form in which Parley runs. */
  readonly world: BenchMode;
  /** How often ours and the baseline are measured, in turns. */
  readonly pairs: number;
  /** How long each of these takes. */
  readonly windowMs: number;
  /** Says something that belongs below the table: the rate that was driven, what held a side back. */
  readonly note: (text: string) => void;
}

export interface Bench {
  /** As given to `--only`. */
  readonly name: string;
  readonly title: string;
  readonly worlds: readonly BenchMode[];
  /** Starts what it needs, and leaves nothing running. */
  readonly run: (options: BenchOptions) => Promise<ResultRow[]>;
}
