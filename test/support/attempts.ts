/** Promises of so little time that a moment's standstill of any process breaks them: what else the machine does only adds to a time. */
import { within } from "./eventually.ts";

/**
 * Tries up to three times, each with people or sessions of its own: one attempt in time shows what is promised.
 * @param attempt  whether it came in time; what must hold besides it asserts itself, every time
 */
export async function succeedsOnceInThree(what: string, attempt: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3; i++) if (await attempt()) return;
  throw new Error(`in none of three attempts: ${what}`);
}

/** Waits until it came. @returns whether that was in time */
export async function settlesWithin(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  const isInTime = await within(timeoutMs, "it came", promise).then(
    () => true,
    () => false,
  );
  await promise;
  return isInTime;
}
