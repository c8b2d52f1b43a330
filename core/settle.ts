/** State changes are expectations, never locks: when one was not met, what is there now is read and judged anew. */
import { Unavailable, codeOf } from "./errors.ts";
import { Duplicate, type Database, type Operation } from "./store/store.ts";

/** What a look at the stored state led to: the operations to commit, and what to make of them once they are through. */
export interface Judged<T> {
  readonly operations: readonly Operation[];
  readonly outcome: T;
}

const attempts = 5;

/**
 * Judges and commits, again while others change what was judged. Of two that race one always wins, so a few attempts are enough.
 * @param judge  reads the present state and decides; what it throws goes to the caller
 * @returns the outcome that was committed, and the commit's store time (0 when there was nothing to commit)
 * @throws Unavailable  changed by others at every attempt
 */
export async function settle<T>(db: Database, judge: () => Promise<Judged<T>>): Promise<{ outcome: T; at: number }> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const { operations, outcome } = await judge();
    if (operations.length === 0) return { outcome, at: 0 };
    try {
      const { at } = await db.commit(operations);
      return { outcome, at };
    } catch (error) {
      if (!isStale(error)) throw error;
    }
  }
  throw new Unavailable();
}

const isStale = (error: unknown): boolean => error instanceof Duplicate || codeOf(error) === "CONFLICT";
