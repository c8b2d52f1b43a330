/** Counts a cache's reads by what came of them. Plain numbers, read at a scrape: a cached read itself costs little more than a counter. */
import type { ServiceBroker } from "moleculer";
import { counter } from "../metrics/declare.ts";

const cacheReads = counter(
  "parley_cache_reads_total",
  "Cached reads: a hit, a miss that the store answered, or a bypass because the cache could not be asked",
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
