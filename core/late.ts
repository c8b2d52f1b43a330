/** Giving up on what does not come, by one who may have stood still himself. */

/**
 * Calls back when something has not come in time. Timers run before what waits at the sockets is read; so when this process itself was
 * held up, that is read first.
 * @returns call it when it came
 */
export function whenLate(withinMs: number, giveUp: () => void): () => void {
  let hasCome = false;
  const timer = setTimeout(() => setImmediate(() => hasCome || giveUp()), withinMs);
  return () => {
    hasCome = true;
    clearTimeout(timer);
  };
}
