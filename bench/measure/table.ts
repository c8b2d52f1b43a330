/** A bench's rows, how they are made from pairs, and the table they are shown as: Markdown that also reads well as text. */
import { spreadOf, type MeasuredPair, type Spread } from "./measure.ts";

/** What a ratio has to keep to; where there is none, ours. */
export interface Target {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface ResultRow {
  /** What is measured, e.g. "fan-out 10: CPU a delivery, all threads". */
  readonly question: string;
  /** Of ours and the baseline, e.g. "µs". */
  readonly unit: string;
  readonly ours: Spread;
  readonly baseline?: Spread;
  /** Of ours to the baseline, pair by pair. */
  readonly ratio?: Spread;
  readonly target?: Target;
  /** Who could give no more, client or server, where something was driven to its limit. */
  readonly limit?: string;
}

/** A row of what was measured in pairs. @param of  the figure in a measurement */
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

/** Whether a row keeps to its target; undefined where it has none. */
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
  const widths = columns.map((name, place) => Math.max(name.length, ...cells.map((line) => line[place]!.length)));
  const lineOf = (line: readonly string[]) => `| ${line.map((cell, place) => cell.padEnd(widths[place]!)).join(" | ")} |`;
  return [lineOf(columns), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...cells.map(lineOf)].join("\n");
}

/** Three figures that count, whatever the size. */
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
