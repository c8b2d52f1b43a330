/** Paces load: as fast as the server answers, or at a fixed rate. */

/** A fixed rate per second, or as fast as this many concurrent actions allow. */
export type Pace = { readonly perSecond: number } | { readonly concurrency: number };

/**
 * Repeats an action for `forMs` milliseconds and waits for the last one to finish.
 * @param act  gets the action's number, from 0, and the time it was due by `performance.now()`. Latency counts from that time, even if this
 *   process starts the action late.
 * @returns the total time in milliseconds
 */
export async function paced(pace: Pace, forMs: number, act: (turn: number, dueAt: number) => Promise<void>): Promise<number> {
  const from = performance.now();
  if ("concurrency" in pace) await saturate(pace.concurrency, from + forMs, act);
  else await keepPace(pace.perSecond, from, forMs, act);
  return performance.now() - from;
}

type PacedAction = Parameters<typeof paced>[2];

async function saturate(count: number, until: number, act: PacedAction): Promise<void> {
  const again = async (first: number) => {
    for (let turn = first; performance.now() < until; turn += count) await act(turn, performance.now());
  };
  await Promise.all(Array.from({ length: count }, (_, first) => again(first)));
}

function keepPace(perSecond: number, from: number, forMs: number, act: PacedAction): Promise<unknown> {
  const total = Math.floor((forMs / 1000) * perSecond);
  const all: Promise<void>[] = [];
  return new Promise((resolve, reject) => {
    const clock = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - from) / 1000) * perSecond));
      while (all.length < due) all.push(act(all.length, from + (all.length / perSecond) * 1000));
      if (all.length < total) return;
      clearInterval(clock);
      Promise.all(all).then(resolve, reject);
    }, 1);
  });
}

/** Returns the share of a pace for one of several load processes. */
export const shareOf = (pace: Pace, share: number): Pace =>
  "concurrency" in pace ? { concurrency: Math.max(1, Math.round(pace.concurrency * share)) } : { perSecond: pace.perSecond * share };
