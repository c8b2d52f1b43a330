/** Finds a server's maximum throughput by raising the load, and the pace at which to compare two servers fairly. */
import { limitOf, type Used } from "./measure.ts";
import type { Pace } from "../load/pacing.ts";

/** The result of a drive that capacity is computed from. */
export interface Throughput {
  readonly perSecond: number;
  readonly server: Used;
  readonly clients: readonly Used[];
}
export type Drive<T extends Throughput> = (pace: Pace, forMs: number) => Promise<T>;

export interface Capacity {
  readonly perSecond: number;
  readonly limit: string;
  /** Number of concurrent actions that reached it. */
  readonly concurrency: number;
}

/** Steps of concurrent actions, from few to more than any server needs to be saturated. */
const ramp = [4, 16, 64, 256] as const;
const stepMs = 1500;

/** Finds the maximum rate over all steps. Also warms up both ends. */
export async function capacityOf(drive: Drive<Throughput>): Promise<Capacity> {
  let best: Capacity = { perSecond: 0, limit: "", concurrency: ramp[0] };
  for (const concurrency of ramp) {
    const { perSecond, server, clients } = await drive({ concurrency }, stepMs);
    if (perSecond > best.perSecond) best = { perSecond, limit: limitOf(server, clients), concurrency };
  }
  return best;
}

/** Half of the slower server's maximum: neither queues for long, and both do the same work. */
export const commonPace = (one: Capacity, other: Capacity): { perSecond: number } => ({
  perSecond: Math.min(one.perSecond, other.perSecond) / 2,
});

/** @param unit  what is counted, e.g. "messages" */
export function capacityNote(unit: string, ours: Capacity, name: string, baseline: Capacity): string {
  const taken = ({ perSecond, limit }: Capacity) => `${Math.round(perSecond)} ${unit}/s, limited by ${limit}`;
  const pace = Math.round(commonPace(ours, baseline).perSecond);
  return `Ours took at most ${taken(ours)}; ${name} ${taken(baseline)}. Compared at half of the slower one's: ${pace} ${unit}/s.`;
}
