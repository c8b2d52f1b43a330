/** Records when this process itself was stalled, because the machine was busy. Such time does not count as silence. */

const everyMs = 100;
/** A timer that fires later than this counts as a stall. */
const lateMs = 300;

export interface StallRecorder {
  /** Milliseconds of this span during which the process was stalled. `from` and `until` are epoch milliseconds. */
  between(from: number, until: number): number;
  stop(): void;
}

export function recordStalls(): StallRecorder {
  const spans: { readonly from: number; readonly until: number }[] = [];
  let due = Date.now() + everyMs;
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - due > lateMs) spans.push({ from: due, until: now });
    due = now + everyMs;
  }, everyMs);
  return {
    between: (from, until) => spans.reduce((sum, span) => sum + Math.max(0, Math.min(until, span.until) - Math.max(from, span.from)), 0),
    stop: () => clearInterval(timer),
  };
}
