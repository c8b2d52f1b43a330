/**
 * Taking turns for something scarce: memory, or the thread that serves everybody. Whoever has the least under way is served first, then
 * who asked first: one who asks for much waits for themselves. One begins in each turn of the event loop, so that whatever else is due
 * comes between. Too many are sent away.
 */
import { Unavailable } from "../errors.ts";
import { resource } from "../metrics/resources.ts";

export interface FairQueue {
  /**
   * Does the work when there is a place, and keeps it until the work is done.
   * @param key  for whom it is
   * @throws Unavailable  too many wait already, or it waited too long
   */
  readonly run: <T>(key: string, work: () => Promise<T>) => Promise<T>;
}

interface QueuedTask {
  readonly key: string;
  readonly deadline: number;
  readonly start: (isLate: boolean) => void;
}

/**
 * @param name         as metrics call it
 * @param atOnce       how many may be at work
 * @param mostWaiting  how many may wait
 * @param waitMs       how long one may wait: whoever asked has given up by then
 */
export function fairQueue({
  name,
  atOnce,
  mostWaiting,
  waitMs,
}: {
  name: string;
  atOnce: number;
  mostWaiting: number;
  waitMs: number;
}): FairQueue {
  const slots = resource(name, atOnce + mostWaiting);
  const queue: QueuedTask[] = [];
  const running: string[] = [];
  let isScheduled = false;
  const runningCount = (key: string): number => running.filter((one) => one === key).length;

  function schedule(): void {
    if (isScheduled || queue.length === 0 || running.length >= atOnce) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      startNext();
      schedule();
    });
  }

  function startNext(): void {
    const [next] = queue.splice(nextIndex(), 1) as [QueuedTask];
    const isLate = performance.now() > next.deadline;
    if (!isLate) running.push(next.key);
    next.start(isLate);
  }

  /** The first in the queue of those with the least under way: mostly the very first. */
  function nextIndex(): number {
    let index = 0;
    let least = Infinity;
    for (let i = 0; least > 0 && i < queue.length; i++) {
      const count = runningCount(queue[i]!.key);
      if (count < least) [index, least] = [i, count];
    }
    return index;
  }

  function reject(): never {
    slots.countRefusal();
    throw new Unavailable();
  }

  /** @throws Unavailable  it waited too long */
  async function waitForSlot(key: string): Promise<void> {
    const isLate = await new Promise<boolean>((start) => {
      queue.push({ key, deadline: performance.now() + waitMs, start });
      schedule();
    });
    if (isLate) reject();
  }

  return {
    async run(key, work) {
      if (running.length + queue.length >= atOnce + mostWaiting) reject();
      slots.enter();
      try {
        await waitForSlot(key);
        try {
          return await work();
        } finally {
          running.splice(running.indexOf(key), 1);
          schedule();
        }
      } finally {
        slots.leave();
      }
    },
  };
}
