/**
 * How many lines an event may have: so many a minute for one person or address, and so many for all. Whoever causes it thousands of times a
 * second must not fill the disk; what is left out is counted, by whom it was caused.
 */
export interface LineLimits {
  readonly perKey: number;
  readonly total: number;
}

export interface LeftOut {
  readonly count: number;
  /** Who caused most of it, at most five. */
  readonly most: readonly { readonly key: string; readonly count: number }[];
}

/** Keys that are counted apart; the others together. */
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

  /** Counts one. @returns whether it may have a line */
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

  /** Begins anew. @returns what was left out since the last time; undefined when nothing was */
  renew(): LeftOut | undefined {
    const { leftOut } = this;
    const sorted = [...this.byKey].filter(([, own]) => own.leftOut > 0).sort(([, a], [, b]) => b.leftOut - a.leftOut);
    this.lines = this.leftOut = 0;
    this.byKey.clear();
    if (leftOut === 0) return undefined;
    return { count: leftOut, most: sorted.slice(0, reportedKeys).map(([key, own]) => ({ key, count: own.leftOut })) };
  }
}
