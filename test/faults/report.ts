/** The table of all faults, as text for a terminal and as Markdown for a page, and what is said below it. */
import type { FaultEntry, StrikeReport } from "./target/fault.ts";
import type { StormVerdict } from "./verdict.ts";

export interface FaultOutcome {
  readonly fault: FaultEntry;
  readonly strike: StrikeReport;
  readonly verdict: StormVerdict;
}

const columns = [
  "what falls",
  "acknowledged",
  "lost",
  "doubled",
  "out of order",
  "views differ",
  "durable events",
  "of these lost",
  "longest silence (promised)",
] as const;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** The counts that must be 0. */
export const counted = ({ lost, doubled, outOfOrder, viewsDiffer, eventsLost }: StormVerdict) => ({
  lost,
  doubled,
  outOfOrder,
  viewsDiffer,
  eventsLost,
});

const isKept = ({ fault, verdict }: FaultOutcome): boolean => verdict.longestSilenceMs <= fault.promiseMs;

/** Nothing lost, doubled, disordered or different, and the promise kept. */
export const holds = (outcome: FaultOutcome): boolean =>
  isKept(outcome) && Object.values(counted(outcome.verdict)).every((found) => found.length === 0);

function cells(outcome: FaultOutcome): string[] {
  const { fault, verdict } = outcome;
  const { lost, doubled, outOfOrder, viewsDiffer, eventsLost } = counted(verdict);
  const silence = `${seconds(verdict.longestSilenceMs)} (${seconds(fault.promiseMs)})${isKept(outcome) ? "" : " BROKEN"}`;
  const counts = [verdict.acknowledged, lost.length, doubled.length, outOfOrder.length, viewsDiffer.length];
  return [fault.what, ...[...counts, verdict.durableEvents, eventsLost.length].map(String), silence];
}

/** Lines as wide as their widest cells, in the form of a Markdown table; the first column to the left, numbers to the right. */
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
    sum(({ doubled }) => doubled.length),
    sum(({ outOfOrder }) => outOfOrder.length),
    sum(({ viewsDiffer }) => viewsDiffer.length),
    sum(({ durableEvents }) => durableEvents),
    sum(({ eventsLost }) => eventsLost.length),
    `${outcomes.filter((outcome) => !isKept(outcome)).length} broken`,
  ];
}

const mostShown = 10;

/** What one fault's counts were counted from, the first of each. */
export function details({ fault, strike, verdict }: FaultOutcome): string {
  const found = Object.entries(counted(verdict)).flatMap(([what, list]) => [
    ...list.slice(0, mostShown).map((one) => `  ${what}: ${one}`),
    ...(list.length > mostShown ? [`  ${what}: and ${list.length - mostShown} more`] : []),
  ]);
  const stood = `the storm's own process stood still for ${seconds(verdict.stoodStillMs)}, which counts as no silence`;
  const notes = [...(strike.note === undefined ? [] : [strike.note]), ...(verdict.stoodStillMs > 0 ? [stood] : [])];
  return [...notes.map((note) => `${fault.what}: ${note}`), ...found].join("\n");
}
