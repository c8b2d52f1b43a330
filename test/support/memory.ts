/** How much memory processes take, as Linux counts it. */
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

/** Processes that this one started. */
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
 * Does the work, and watches these processes and those they start meanwhile.
 * @returns by how many MB each grew at its peak; children that began meanwhile, by all that they took
 */
export async function memoryGrowth(
  pids: Readonly<Record<string, number>>,
  action: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = new Map(watched().map(([name, pid]) => [name, residentMb(pid) ?? 0]));
  const peaks = new Map<string, number>();
  function watched(): [string, number][] {
    return Object.entries(pids).flatMap(([name, pid]) => [
      [name, pid],
      ...childrenOf(pid).map((child): [string, number] => [`${name}/${child}`, child]),
    ]);
  }
  const look = () => {
    for (const [name, pid] of watched()) peaks.set(name, Math.max(peaks.get(name) ?? 0, residentMb(pid) ?? 0));
  };
  const timer = setInterval(look, 20);
  try {
    await action();
    look();
  } finally {
    clearInterval(timer);
  }
  return Object.fromEntries([...peaks].map(([name, peak]) => [name, peak - (before.get(name) ?? 0)]));
}
