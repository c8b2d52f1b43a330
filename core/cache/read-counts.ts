/** Counts cache reads by result. Plain numbers, collected at a scrape: a labelled counter would cost about as much as a cached read. */
import type { ServiceBroker } from "moleculer";
import { counter } from "../metrics/declare.ts";

const cacheReads = counter(
  "parley_cache_reads_total",
  "Cache reads: a hit, a miss that was read from the store, or a bypass because the cache was unavailable",
  ["result"],
);

export interface ReadCounts {
  hit: number;
  miss: number;
  bypass: number;
}

export function countReads(broker: ServiceBroker): ReadCounts {
  const reads: ReadCounts = { hit: 0, miss: 0, bypass: 0 };
  cacheReads.collect(broker, () => Object.entries(reads).map(([result, count]: [string, number]) => [{ result }, count] as const));
  return reads;
}
