/** State changes are expectations, never locks: when one was not met, what is there now is read and judged anew. */
import { setTimeout as pause } from "node:timers/promises";
import { Unavailable, codeOf } from "../errors.ts";
import { Duplicate, type Database, type Operation } from "./store.ts";

/** What a look at the stored state led to: the operations to commit, and what to make of them once they are through. */
export interface Decision<T> {
  readonly operations: readonly Operation[];
  readonly outcome: T;
}

/**
 * Shorter than a call may take, so that it ends with an answer; and what was judged by a process that then stood still is not committed
 * long after its caller gave up, over what others wrote since.
 */
const timeoutMs = 4000;

/**
 * Judges and commits, again while others change what was judged. Of those who race one always gets through.
 * @param decide  reads the present state and decides; what it throws goes to the caller
 * @returns the outcome that was committed, and the commit's store time (0 when there was nothing to commit)
 * @throws Unavailable  nothing was committed for 4 s: others changed it at every attempt, or this process stood still
 */
export async function commitWithRetry<T>(db: Database, decide: () => Promise<Decision<T>>): Promise<{ outcome: T; at: number }> {
  const startedAt = performance.now();
  for (let attempt = 1; ; attempt++) {
    const { operations, outcome } = await decide();
    if (operations.length === 0) return { outcome, at: 0 };
    if (performance.now() - startedAt > timeoutMs) throw new Unavailable();
    try {
      const { at } = await db.commit(operations);
      return { outcome, at };
    } catch (error) {
      if (!isStale(error)) throw error;
    }
    await randomBackOff(attempt);
  }
}

/** Without chance in it, those who met would meet again. */
export const randomBackOff = (attempt: number): Promise<void> => pause(Math.random() * Math.min(100, 5 * attempt));

const isStale = (error: unknown): boolean => error instanceof Duplicate || codeOf(error) === "CONFLICT";
