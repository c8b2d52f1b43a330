/** Waiting without fixed sleeps: poll until something holds, or say after a deadline what never did. */
import { setTimeout as pause } from "node:timers/promises";
import { withTimeout } from "../../core/resilience/timeout.ts";

const pauseMs = 50;
/** Where nothing is promised: long enough for a slow machine. */
export const defaultTimeoutMs = 30_000;

/**
 * Asks again and again until the answer is neither undefined nor false.
 * @param what  named in the error: "the chat takes messages again"
 * @param timeoutMs  of asking and pausing. A pause counts as what it was meant to be: a machine that stood still has not waited
 * @throws Error  nothing in that time; the last rejection of `probe` is its cause
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = defaultTimeoutMs,
): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    const isLast = waitedMs >= timeoutMs;
    const asked = performance.now();
    let cause: unknown;
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (isLast) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause });
    waitedMs += performance.now() - asked;
    await pause(pauseMs);
  }
}

/**
 * Holds a promise to a deadline, as a waiting caller would see it: whatever else was due or had come before it goes first, so that a
 * machine which stands still for a moment does not break the promise.
 * @throws Error  naming what did not happen
 */
export const within = <T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> =>
  withTimeout(promise, timeoutMs, () => new Error(`not within ${timeoutMs} ms: ${what}`));
