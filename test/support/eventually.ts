/** Waits without fixed sleeps: polls until a condition holds, or fails after a deadline and names the condition. */
import { setTimeout as pause } from "node:timers/promises";
import { withTimeout } from "../../core/resilience/timeout.ts";

const pauseMs = 50;
/** For events without a promised deadline: long enough for a slow machine. */
export const defaultTimeoutMs = 30_000;

/**
 * Polls until `probe` answers something other than undefined and false.
 * @param what  named in the error, for example "the chat accepts messages again"
 * @param timeoutMs  limits the time of the calls and pauses. A pause counts as `pauseMs` even if the machine was stopped meanwhile
 * @throws Error  the time is over; the last rejection of `probe` is its cause
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = defaultTimeoutMs,
): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    const isLast = waitedMs >= timeoutMs;
    const startedAt = performance.now();
    let cause: unknown;
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (isLast) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause });
    waitedMs += performance.now() - startedAt;
    await pause(pauseMs);
  }
}

/**
 * Limits the time until a promise settles. Events that were due earlier are handled first, so that a short pause of the machine does
 * not count as a timeout.
 * @throws Error  the time is over; the message names `what`
 */
export const within = <T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> =>
  withTimeout(promise, timeoutMs, () => new Error(`not within ${timeoutMs} ms: ${what}`));
