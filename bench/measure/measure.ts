/**
 * Measures CPU of processes as the kernel counts it, computes percentiles, and measures ours and a baseline alternately, so that other load
 * on the machine affects both alike.
 */
import { readFileSync } from "node:fs";

/** CPU time used, user and system. */
export interface Cpu {
  /** All threads together. */
  readonly allMs: number;
  readonly mainMs: number;
}

/** The kernel counts in hundredths of a second (USER_HZ), so windows shorter than a few seconds are meaningless. */
const msPerTick = 10;

/** CPU that a process has used since it began. */
export function cpuOf(pid: number): Cpu {
  return { allMs: usedIn(`/proc/${pid}/stat`), mainMs: usedIn(`/proc/${pid}/task/${pid}/stat`) };
}

/** proc_pid_stat(5): utime and stime are fields 14 and 15. The second field, a name in parentheses, may contain anything. */
function usedIn(file: string): number {
  const text = readFileSync(file, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

/** CPU that a process used during a measurement. */
export interface Used extends Cpu {
  readonly wallMs: number;
}

/** Measures the CPU of these processes during `act`. @returns the outcome and each process's use */
export async function during<T>(pids: readonly number[], act: () => Promise<T>): Promise<{ outcome: T; used: readonly Used[] }> {
  const before = pids.map(cpuOf);
  const from = performance.now();
  const outcome = await act();
  const wallMs = performance.now() - from;
  const used = pids.map((pid, index) => {
    const { allMs, mainMs } = cpuOf(pid);
    return { allMs: allMs - before[index]!.allMs, mainMs: mainMs - before[index]!.mainMs, wallMs };
  });
  return { outcome, used };
}

/** Share of a core at which a thread counts as saturated. */
const busyShare = 0.85;

/** Names the saturated side: the server's or a client's main thread, whichever was busier; neither if neither was saturated. */
export function limitOf(server: Used, clients: readonly Used[]): string {
  const share = ({ mainMs, wallMs }: Used) => mainMs / wallMs;
  const ofServer = share(server);
  const ofClients = Math.max(...clients.map(share));
  const percent = (value: number) => `${Math.round(value * 100)} %`;
  const who = Math.max(ofServer, ofClients) < busyShare ? "neither" : ofServer >= ofClients ? "server" : "client";
  return `${who} (server ${percent(ofServer)}, client ${percent(ofClients)} of a core)`;
}

/** @param sorted  ascending, not empty */
export const percentile = (sorted: ArrayLike<number>, percent: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)]!;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

export interface MeasuredPair<T> {
  readonly ours: T;
  readonly baseline: T;
}

/** Measures both alternately; every other pair starts with the baseline. */
export async function pairsOf<T>(count: number, ours: () => Promise<T>, baseline: () => Promise<T>): Promise<MeasuredPair<T>[]> {
  const pairs: MeasuredPair<T>[] = [];
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) {
      const first = await ours();
      pairs.push({ ours: first, baseline: await baseline() });
    } else {
      const first = await baseline();
      pairs.push({ ours: await ours(), baseline: first });
    }
  }
  return pairs;
}
