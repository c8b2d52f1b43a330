/** Giving up on what does not come, by one who may have stood still, alone or with the whole machine. */

/** A longer pause is made of such ones. */
const maxPauseMs = 100;

/**
 * Calls back when something has not come in time. Time in which this process stood still does not count: a pause counts as what it was
 * meant to be, so whoever stood still as well has its time to answer. And timers run before what waits at the sockets is read; so at the
 * end that is read first.
 * @returns call it when it came
 */
export function startTimeout(timeoutMs: number, onTimeout: () => void): () => void {
  const pauses = Math.max(4, Math.ceil(timeoutMs / maxPauseMs));
  const pauseMs = Math.ceil(timeoutMs / pauses);
  let left = pauses;
  let isCancelled = false;
  let timer = setTimeout(next, pauseMs);
  function next(): void {
    left -= 1;
    if (left > 0) timer = setTimeout(next, pauseMs);
    else setImmediate(() => isCancelled || onTimeout());
  }
  return () => {
    isCancelled = true;
    clearTimeout(timer);
  };
}

/** Waits for an answer, so long. @throws Error  what `error` makes, when it has not come */
export async function withTimeout<T>(answer: Promise<T>, timeoutMs: number, error: () => Error): Promise<T> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const cancelTimeout = startTimeout(timeoutMs, () => reject(error()));
  try {
    return await Promise.race([answer, timedOut]);
  } finally {
    cancelTimeout();
  }
}
