/** Formats the results of faults: a Markdown table, and the findings behind each count. */
import type { FaultEntry, StrikeReport } from "./target/fault.ts";
import type { StormVerdict } from "./verdict.ts";

export interface FaultOutcome {
  readonly fault: FaultEntry;
  readonly strike: StrikeReport;
  readonly verdict: StormVerdict;
}

const columns = [
  "what fails",
  "acknowledged",
  "lost",
  "duplicated",
  "out of order",
  "views differ",
  "durable events",
  "events lost",
  "longest silence (promised)",
] as const;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** The counts that must be 0. */
export const counted = ({ lost, duplicated, outOfOrder, viewsDiffer, eventsLost }: StormVerdict) => ({
  lost,
  duplicated,
  outOfOrder,
  viewsDiffer,
  eventsLost,
});

const isKept = ({ fault, verdict }: FaultOutcome): boolean => verdict.longestSilenceMs <= fault.promiseMs;

/** Whether all counts are 0 and the promised time was kept. */
export const passes = (outcome: FaultOutcome): boolean =>
  isKept(outcome) && Object.values(counted(outcome.verdict)).every((found) => found.length === 0);

function cells(outcome: FaultOutcome): string[] {
  const { fault, verdict } = outcome;
  const { lost, duplicated, outOfOrder, viewsDiffer, eventsLost } = counted(verdict);
  const silence = `${seconds(verdict.longestSilenceMs)} (${seconds(fault.promiseMs)})${isKept(outcome) ? "" : " BROKEN"}`;
  const counts = [verdict.acknowledged, lost.length, duplicated.length, outOfOrder.length, viewsDiffer.length];
  return [fault.what, ...[...counts, verdict.durableEvents, eventsLost.length].map(String), silence];
}

/** A Markdown table with padded columns: the first one left-aligned, the others right-aligned. */
export function table(outcomes: readonly FaultOutcome[]): string {
  const lines = [[...columns], ...outcomes.map(cells), sums(outcomes)];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const drawn = lines.map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))));
  const rule = widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [drawn[0]!, rule, ...drawn.slice(1)].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function sums(outcomes: readonly FaultOutcome[]): string[] {
  const verdicts = outcomes.map(({ verdict }) => verdict);
  const sum = (of: (verdict: StormVerdict) => number) => String(verdicts.reduce((total, verdict) => total + of(verdict), 0));
  return [
    `all ${outcomes.length}`,
    sum(({ acknowledged }) => acknowledged),
    sum(({ lost }) => lost.length),
    sum(({ duplicated }) => duplicated.length),
    sum(({ outOfOrder }) => outOfOrder.length),
    sum(({ viewsDiffer }) => viewsDiffer.length),
    sum(({ durableEvents }) => durableEvents),
    sum(({ eventsLost }) => eventsLost.length),
    `${outcomes.filter((outcome) => !isKept(outcome)).length} broken`,
  ];
}

const maxShown = 10;

/** The findings behind one fault's counts, the first ten of each. */
export function details({ fault, strike, verdict }: FaultOutcome): string {
  const found = Object.entries(counted(verdict)).flatMap(([what, list]) => [
    ...list.slice(0, maxShown).map((one) => `  ${what}: ${one}`),
    ...(list.length > maxShown ? [`  ${what}: and ${list.length - maxShown} more`] : []),
  ]);
  const stalled = `the test's own process was stalled for ${seconds(verdict.stalledMs)}, which does not count as silence`;
  const notes = [...(strike.note === undefined ? [] : [strike.note]), ...(verdict.stalledMs > 0 ? [stalled] : [])];
  return [...notes.map((note) => `${fault.what}: ${note}`), ...found].join("\n");
}
