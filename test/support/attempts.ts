/** Checks of short deadlines, which a test may miss because other work paused the machine. Other work never makes anything faster. */
import { within } from "./eventually.ts";

/**
 * Tries up to three times, because one attempt within the deadline proves that the deadline can be met.
 * @param attempt  makes its own users or sessions, asserts all that does not depend on time, and returns whether it met the deadline
 */
export async function succeedsOnceInThree(what: string, attempt: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3; i++) if (await attempt()) return;
  throw new Error(`in none of three attempts: ${what}`);
}

/** Waits until the promise settles, even after the deadline. @returns whether it met the deadline */
export async function settlesWithin(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  const isInTime = await within(timeoutMs, "it settles", promise).then(
    () => true,
    () => false,
  );
  await promise;
  return isInTime;
}
