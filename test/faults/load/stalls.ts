/** When this process itself stood still, on a machine that does much else: no promise counts that as silence. */

const everyMs = 100;
/** Later than this is no busy moment any more. */
const lateMs = 300;

export interface StallRecorder {
  /** How much of this span was stood still, milliseconds; the span by epoch milliseconds. */
  between(from: number, until: number): number;
  /** Notes no more. */
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
