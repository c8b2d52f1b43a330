/**
 * Limits how many lines an event writes per minute, per key (a user or address) and in total, so that a client that causes it thousands of
 * times per second can't fill the disk. Omitted lines are counted per key.
 */
export interface LineLimits {
  readonly perKey: number;
  readonly total: number;
}

export interface LeftOut {
  readonly count: number;
  /** The keys with the most omitted lines, at most five. */
  readonly most: readonly { readonly key: string; readonly count: number }[];
}

/** Keys with a count of their own. Further keys are limited and counted only in total. */
const keysKept = 1000;
const reportedKeys = 5;

export class LineBudget {
  private readonly budget: LineLimits;
  private lines = 0;
  private leftOut = 0;
  private readonly byKey = new Map<string, { lines: number; leftOut: number }>();

  constructor(budget: LineLimits) {
    this.budget = budget;
  }

  /** Counts one occurrence. @returns whether to write a line for it */
  consume(key: string): boolean {
    const own = this.byKey.get(key) ?? { lines: 0, leftOut: 0 };
    if (this.byKey.size < keysKept) this.byKey.set(key, own);
    if (this.lines >= this.budget.total || own.lines >= this.budget.perKey) {
      own.leftOut++;
      this.leftOut++;
      return false;
    }
    own.lines++;
    this.lines++;
    return true;
  }

  /** Resets the counts. @returns the lines omitted since the last reset; undefined if there were none */
  renew(): LeftOut | undefined {
    const { leftOut } = this;
    const sorted = [...this.byKey].filter(([, own]) => own.leftOut > 0).sort(([, a], [, b]) => b.leftOut - a.leftOut);
    this.lines = this.leftOut = 0;
    this.byKey.clear();
    if (leftOut === 0) return undefined;
    return { count: leftOut, most: sorted.slice(0, reportedKeys).map(([key, own]) => ({ key, count: own.leftOut })) };
  }
}
