/**
 * Taking turns for something scarce: memory, or the thread that serves everybody. Whoever has the least under way is served first, then
 * who asked first: one who asks for much waits for themselves. One begins in each turn of the event loop, so that whatever else is due
 * comes between. Too many are sent away.
 */
import { Unavailable } from "./errors.ts";
import { resource } from "./metrics/resources.ts";

export interface Turns {
  /**
   * Does the work when there is a place, and keeps it until the work is done.
   * @param who  for whom it is
   * @throws Unavailable  too many wait already, or it waited too long
   */
  readonly take: <T>(who: string, work: () => Promise<T>) => Promise<T>;
}

interface Waiting {
  readonly who: string;
  readonly until: number;
  readonly begin: (isLate: boolean) => void;
}

/**
 * @param name         as metrics call it
 * @param atOnce       how many may be at work
 * @param mostWaiting  how many may wait
 * @param waitMs       how long one may wait: whoever asked has given up by then
 */
export function turns({ name, atOnce, mostWaiting, waitMs }: { name: string; atOnce: number; mostWaiting: number; waitMs: number }): Turns {
  const places = resource(name, atOnce + mostWaiting);
  const queue: Waiting[] = [];
  const atWork: string[] = [];
  let isPlanned = false;
  const underWay = (who: string): number => atWork.filter((one) => one === who).length;

  function plan(): void {
    if (isPlanned || queue.length === 0 || atWork.length >= atOnce) return;
    isPlanned = true;
    setImmediate(() => {
      isPlanned = false;
      serve();
      plan();
    });
  }

  function serve(): void {
    const [next] = queue.splice(nextPlace(), 1) as [Waiting];
    const isLate = performance.now() > next.until;
    if (!isLate) atWork.push(next.who);
    next.begin(isLate);
  }

  /** The first in the queue of those with the least under way: mostly the very first. */
  function nextPlace(): number {
    let place = 0;
    let least = Infinity;
    for (let i = 0; least > 0 && i < queue.length; i++) {
      const count = underWay(queue[i]!.who);
      if (count < least) [place, least] = [i, count];
    }
    return place;
  }

  function refuse(): never {
    places.refuse();
    throw new Unavailable();
  }

  /** @throws Unavailable  it waited too long */
  async function turnOf(who: string): Promise<void> {
    const isLate = await new Promise<boolean>((begin) => {
      queue.push({ who, until: performance.now() + waitMs, begin });
      plan();
    });
    if (isLate) refuse();
  }

  return {
    async take(who, work) {
      if (atWork.length + queue.length >= atOnce + mostWaiting) refuse();
      places.enter();
      try {
        await turnOf(who);
        try {
          return await work();
        } finally {
          atWork.splice(atWork.indexOf(who), 1);
          plan();
        }
      } finally {
        places.leave();
      }
    },
  };
}
