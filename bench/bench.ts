/** What a bench is: a question that is answered by measuring, in rows of a table. */
import type { Row } from "./table.ts";

export type World = "embedded" | "mesh";

export interface Options {
  /** The form in which Parley runs. */
  readonly world: World;
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
  readonly worlds: readonly World[];
  /** Starts what it needs, and leaves nothing running. */
  readonly run: (options: Options) => Promise<Row[]>;
}
