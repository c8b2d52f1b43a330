/** People of the demo: each at a client of their own, signed up under an address that nobody has. */
import { setTimeout as pause } from "node:timers/promises";
import { randomBytes } from "node:crypto";
import { Parley, ParleyError, type Events } from "../../client/index.ts";

const waitMs = 10_000;
const longestWaitMs = 60_000;

export async function signUp(url: string, firstName: string): Promise<Parley> {
  const emailId = `${firstName.toLowerCase()}-${randomBytes(6).toString("hex")}@demo.example.org`;
  const password = `Aa1-${randomBytes(12).toString("hex")}`;
  const parley = await retryTransient(() => Parley.signUp({ url, firstName, lastName: "Demo", emailId, password }));
  await parley.online();
  return parley;
}

/** Asks again when the server says "too many" or "not now", after the time it names. */
export async function retryTransient<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + longestWaitMs; ;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ParleyError) || !error.isTransient || Date.now() > deadline) throw error;
      await pause(error.retryAfterMs ?? 1000);
    }
  }
}

/** The refusal that must come. @throws Error  it was allowed */
export async function expectRefusal(attempt: () => Promise<unknown>, code: ParleyError["code"]): Promise<void> {
  try {
    await retryTransient(attempt);
  } catch (error) {
    if (error instanceof ParleyError && error.code === code) return;
    throw error;
  }
  throw new Error("it was allowed");
}

/** Begins to listen now, and waits when it is called for the first event that was liked. */
export function expectEvent<K extends keyof Events>(
  parley: Parley,
  event: K,
  matches: (data: Events[K]) => boolean,
): () => Promise<Events[K]> {
  const { promise, resolve, reject } = Promise.withResolvers<Events[K]>();
  const stop = parley.on(event, (data) => {
    if (matches(data)) resolve(data);
  });
  return async () => {
    const timer = setTimeout(() => reject(new Error(`nothing was heard by "${event}" in ${waitMs / 1000} s`)), waitMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      stop();
    }
  };
}
