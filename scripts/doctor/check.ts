/** Defines the doctor's checks. A check examines one thing, changes nothing, and reports that it is fine or what to do about it. */
import { withTimeout } from "../../core/resilience/timeout.ts";

/** One line of the report. */
export interface Finding {
  readonly isFine: boolean;
  /** What was found, or what is wrong and what to do about it. */
  readonly text: string;
}
export const fine = (text: string): Finding => ({ isFine: true, text });
export const todo = (text: string): Finding => ({ isFine: false, text });

type Findings = Finding | readonly Finding[];

/** @typeParam C  context that the check needs, e.g. the configuration */
export interface DoctorCheck<C> {
  readonly name: string;
  /** An error becomes a line of what to do. */
  readonly run: (context: C) => Findings | Promise<Findings>;
}

export interface ReportLine extends Finding {
  readonly name: string;
}

const timeoutMs = 15_000;
const tooLate = (): Error => new Error(`no answer within ${timeoutMs / 1000} s`);

/** Runs all checks concurrently. @returns their lines in the order of the checks */
export async function linesOf<C>(checks: readonly DoctorCheck<C>[], context: C): Promise<ReportLine[]> {
  const all = await Promise.all(
    checks.map(async ({ name, run }) => {
      const running = (async () => run(context))();
      const found = await withTimeout(running, timeoutMs, tooLate).catch((error: unknown) => todo(reasonOf(error)));
      return [found].flat().map((finding) => ({ name, ...finding }));
    }),
  );
  return all.flat();
}

/** A connection and its checks: one line if connecting fails, otherwise the lines of the checks. */
export interface DoctorConnection<C, T> {
  readonly name: string;
  readonly open: (context: C) => Promise<T>;
  readonly close: (opened: T) => Promise<unknown>;
  /** Explains why it can't be opened, and what to do. */
  readonly explain: (error: unknown) => string;
  readonly checks: readonly DoctorCheck<T>[];
}

export async function linesOfConnection<C, T>(
  { name, open, close, explain, checks }: DoctorConnection<C, T>,
  context: C,
): Promise<ReportLine[]> {
  let opened: T;
  try {
    opened = await withTimeout(open(context), timeoutMs, tooLate);
  } catch (error) {
    return [{ name, ...todo(explain(error)) }];
  }
  const lines = await linesOf(checks, opened);
  await withTimeout(close(opened), timeoutMs, tooLate).catch(() => undefined);
  return lines;
}

/** Formats an error as one line. An AggregateError has its text only in its parts. */
export function reasonOf(error: unknown): string {
  const { message, code, errors } = error as { message?: string; code?: unknown; errors?: readonly unknown[] };
  const text = message || (errors?.[0] === undefined ? String(code ?? error) : reasonOf(errors[0]));
  return text.split("\n", 1)[0]!;
}

/** Removes secrets from a line: these texts, and the credentials of any URL. */
export function withoutSecrets(line: string, secrets: readonly string[]): string {
  const shown = secrets.filter((secret) => secret.length >= 4).reduce((text, secret) => text.replaceAll(secret, "…"), line);
  return shown.replaceAll(/\/\/[^/@\s]*@/g, "//…@");
}

/** Whether a version such as "7.0.15" is at least "6.2". */
export function isAtLeast(version: string, least: string): boolean {
  const [own, wanted] = [version, least].map((text) => text.split(/[.-]/).map(Number));
  for (const [index, part] of wanted!.entries()) {
    if ((own![index] ?? 0) !== part) return (own![index] ?? 0) > part;
  }
  return true;
}

/** @param offsetMs  this machine's clock minus the other's @param uncertainMs  maximum error of the offset */
export function clockFinding(offsetMs: number, uncertainMs: number): Finding {
  const seconds = (Math.abs(offsetMs) / 1000).toFixed(1);
  if (Math.abs(offsetMs) - uncertainMs <= maxClockOffsetMs) return fine(`the clocks are ${seconds} s apart`);
  return todo(`this machine's clock is ${seconds} s ${offsetMs > 0 ? "ahead" : "behind"}: let NTP set both`);
}
const maxClockOffsetMs = 2000;

/** Compares this machine's clock with another. @param ask  returns the other's time in epoch milliseconds */
export async function compareClocks(ask: () => Promise<number>): Promise<Finding> {
  const asked = Date.now();
  const time = await ask();
  const tookMs = Date.now() - asked;
  return clockFinding(asked + tookMs / 2 - time, tookMs / 2);
}
