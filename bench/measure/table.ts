/** Builds a bench's rows from measured pairs, and formats them as a Markdown table that also reads well as text. */
import { spreadOf, type MeasuredPair, type Spread } from "./measure.ts";

/** Bounds of the ratio, or of our own figure if there is no ratio. */
export interface Target {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface ResultRow {
  /** The measured quantity, e.g. "fan-out 10: CPU per delivery, all threads". */
  readonly question: string;
  /** Unit of ours and the baseline, e.g. "µs". */
  readonly unit: string;
  readonly ours: Spread;
  readonly baseline?: Spread;
  /** Ratio of ours to the baseline, pair by pair. */
  readonly ratio?: Spread;
  readonly target?: Target;
  /** The saturated side, client or server, in a measurement at the limit. */
  readonly limit?: string;
}

/** Builds a row from measured pairs. @param of  extracts the figure from a measurement */
export function rowOf<T>(
  { of, ...row }: Pick<ResultRow, "question" | "unit" | "target" | "limit"> & { readonly of: (measured: T) => number },
  pairs: readonly MeasuredPair<T>[],
): ResultRow {
  return {
    ...row,
    ours: spreadOf(pairs.map(({ ours }) => of(ours))),
    baseline: spreadOf(pairs.map(({ baseline }) => of(baseline))),
    ratio: spreadOf(pairs.map(({ ours, baseline }) => of(ours) / of(baseline))),
  };
}

/** Whether a row meets its target; undefined without a target. */
export function isMet({ target, ratio, ours }: ResultRow): boolean | undefined {
  if (target === undefined) return undefined;
  const { atLeast = -Infinity, atMost = Infinity } = target;
  const { median } = ratio ?? ours;
  return atLeast <= median && median <= atMost;
}

const columns = ["what", "ours", "baseline", "ratio", "target", "limit"] as const;

export function tableOf(rows: readonly ResultRow[]): string {
  const cells = rows.map((row) => [
    row.question,
    shown(row.ours, row.unit),
    shown(row.baseline, row.unit),
    shown(row.ratio, "×"),
    targetText(row),
    row.limit ?? "",
  ]);
  const widths = columns.map((name, index) => Math.max(name.length, ...cells.map((line) => line[index]!.length)));
  const lineOf = (line: readonly string[]) => `| ${line.map((cell, index) => cell.padEnd(widths[index]!)).join(" | ")} |`;
  return [lineOf(columns), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...cells.map(lineOf)].join("\n");
}

/** Three significant digits. */
const figure = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const large = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const number = (value: number): string => (Math.abs(value) < 1000 ? figure : large).format(value);

function shown(spread: Spread | undefined, unit: string): string {
  if (spread === undefined) return "";
  const { median, min, max } = spread;
  return min === max ? `${number(median)} ${unit}` : `${number(median)} ${unit} [${number(min)}–${number(max)}]`;
}

function targetText(row: ResultRow): string {
  const { atLeast, atMost } = row.target ?? {};
  if (atLeast === undefined && atMost === undefined) return "";
  const bounds = [atLeast === undefined ? "" : `≥ ${atLeast}`, atMost === undefined ? "" : `≤ ${atMost}`].filter((one) => one !== "");
  return `${bounds.join(", ")}: ${isMet(row) === true ? "met" : "missed"}`;
}
