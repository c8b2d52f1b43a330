/**
 * Commits a state change under expectations instead of locks: when an expectation is not met, the decision is made again on freshly read
 * state.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Unavailable, codeOf } from "../errors.ts";
import { Duplicate, type Database, type Operation } from "./store.ts";

/** Operations to commit, and the outcome to return once they are committed. */
export interface Decision<T> {
  readonly operations: readonly Operation[];
  readonly outcome: T;
}

/**
 * Shorter than a call's timeout, so that the caller gets an answer. It also keeps a process that was paused from committing a decision long
 * after its caller gave up, over later writes of others.
 */
const timeoutMs = 4000;

/**
 * Decides and commits, and repeats both while other writers change the state between. Of several racing writers one always succeeds.
 * @param decide  reads the present state and decides; its errors go to the caller
 * @returns the committed outcome, and the commit's store time (0 when there was nothing to commit)
 * @throws Unavailable  nothing was committed for 4 s: other writers interfered at every attempt, or this process was paused
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

/** The wait is random: with fixed waits the same writers would collide again. */
export const randomBackOff = (attempt: number): Promise<void> => pause(Math.random() * Math.min(100, 5 * attempt));

const isStale = (error: unknown): boolean => error instanceof Duplicate || codeOf(error) === "CONFLICT";
