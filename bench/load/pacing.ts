/** How load is paced: as fast as the server answers, or so many a second whatever it does. */

/** So many a second, evenly; or as fast as so many that are under way at a time allow. */
export type Pace = { readonly perSecond: number } | { readonly underWay: number };

/**
 * Acts again and again, for so long, and waits for the last to be done.
 * @param act  what is done, given its number, from 0, and when it was due by `performance.now()`; a process that is late to do it is to
 *   count from then
 * @returns how long it took, milliseconds
 */
export async function paced(pace: Pace, forMs: number, act: (turn: number, dueAt: number) => Promise<void>): Promise<number> {
  const from = performance.now();
  if ("underWay" in pace) await saturate(pace.underWay, from + forMs, act);
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

/** The share of a pace that one of several load processes keeps. */
export const shareOf = (pace: Pace, share: number): Pace =>
  "underWay" in pace ? { underWay: Math.max(1, Math.round(pace.underWay * share)) } : { perSecond: pace.perSecond * share };
