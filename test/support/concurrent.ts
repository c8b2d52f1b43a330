/** Starts many requests at the same time, and counts how they were answered. */
import type { ApiResponse } from "./people/person.ts";

/** Makes `count` promises without waiting in between. @returns their values */
export const inParallel = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)));

/** @returns how many responses have each status */
export const countByStatus = (responses: readonly ApiResponse[]): Record<string, number> =>
  Object.fromEntries(Object.entries(Object.groupBy(responses, ({ status }) => status)).map(([status, all = []]) => [status, all.length]));
