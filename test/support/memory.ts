/** Measures the memory of processes, from Linux's /proc. */
import { readdirSync, readFileSync } from "node:fs";

const megabyte = 1024;

/** Resident memory in MB; undefined when the process has ended. */
export function residentMb(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / megabyte);
  } catch {
    return undefined;
  }
}

/** The processes that a process started and that still run. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" "))
      .filter((child) => child !== "")
      .map(Number);
  } catch {
    return [];
  }
}

/**
 * Runs an action, and measures these processes and their children meanwhile.
 * @returns by how many MB each process grew at its peak; for a child that was started meanwhile, its whole size
 */
export async function memoryGrowth(
  pids: Readonly<Record<string, number>>,
  action: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = new Map(measured().map(([name, pid]) => [name, residentMb(pid) ?? 0]));
  const peaks = new Map<string, number>();
  function measured(): [string, number][] {
    return Object.entries(pids).flatMap(([name, pid]) => [
      [name, pid],
      ...childrenOf(pid).map((child): [string, number] => [`${name}/${child}`, child]),
    ]);
  }
  const measure = () => {
    for (const [name, pid] of measured()) peaks.set(name, Math.max(peaks.get(name) ?? 0, residentMb(pid) ?? 0));
  };
  const timer = setInterval(measure, 20);
  try {
    await action();
    measure();
  } finally {
    clearInterval(timer);
  }
  return Object.fromEntries([...peaks].map(([name, peak]) => [name, peak - (before.get(name) ?? 0)]));
}
