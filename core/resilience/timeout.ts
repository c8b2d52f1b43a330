/** Timeouts that ignore time during which this process was paused, alone or with the whole machine. */

/** A longer timeout consists of several timers of at most this length. */
const maxPauseMs = 100;

/**
 * Calls back after a timeout, unless it is cancelled. A timer that fires late counts only with its intended length, so a peer that was
 * paused together with this process still gets its full time. Node runs timers before it reads sockets, so the last timer waits until
 * data that has already arrived is read.
 * @returns cancels the timeout
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

/**
 * Waits for a promise.
 * @throws Error  created by `error`, if the promise is still pending after the timeout
 */
export async function withTimeout<T>(answer: Promise<T>, timeoutMs: number, error: () => Error): Promise<T> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const cancelTimeout = startTimeout(timeoutMs, () => reject(error()));
  try {
    return await Promise.race([answer, timedOut]);
  } finally {
    cancelTimeout();
  }
}
