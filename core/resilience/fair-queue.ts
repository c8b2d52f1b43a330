/**
 * Queues tasks that need a scarce resource, such as memory or the main thread. The key with the fewest running tasks goes first, then the
 * oldest task, so a heavy user delays only themselves. At most one task starts per turn of the event loop, so that other work runs in
 * between. Tasks beyond the limit are refused.
 */
import { Unavailable } from "../errors.ts";
import { resource } from "../metrics/resources.ts";

export interface FairQueue {
  /**
   * Runs the work once a slot is free, and holds the slot until the work is done.
   * @param key  the user or other party that the work is for
   * @throws Unavailable  too many tasks are waiting, or this one waited too long
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
  /** How long a task may wait. Its caller gives up after this time. */
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

  /** The oldest task of the key with the fewest running tasks; usually the first in the queue. */
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

  /** @throws Unavailable  the task waited too long */
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
