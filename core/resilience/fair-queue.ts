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

export interface FairQueueOptions {
  /** The resource's name in metrics. */
  readonly name: string;
  /** Tasks that may run at once. */
  readonly concurrency: number;
  /** Tasks that may wait. */
  readonly maxQueued: number;
  /** How long a task may wait, at most as long as its caller does. */
  readonly maxWaitMs: number;
}

export function fairQueue({ name, concurrency, maxQueued, maxWaitMs }: FairQueueOptions): FairQueue {
  const slots = resource(name, concurrency + maxQueued);
  const queue: QueuedTask[] = [];
  const running: string[] = [];
  let isScheduled = false;
  const runningCount = (key: string): number => running.filter((other) => other === key).length;

  function schedule(): void {
    if (isScheduled || queue.length === 0 || running.length >= concurrency) return;
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
      queue.push({ key, deadline: performance.now() + maxWaitMs, start });
      schedule();
    });
    if (isLate) reject();
  }

  return {
    async run(key, work) {
      if (running.length + queue.length >= concurrency + maxQueued) reject();
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
