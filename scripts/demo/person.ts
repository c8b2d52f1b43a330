/** Signs up the demo's users, each with its own client and a random address, and waits for events and refusals. */
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

/** Retries after the delay that the server names, when it answers "too many" or "not now". */
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

/** Expects an attempt to fail with this code. @throws Error  it was allowed */
export async function expectRefusal(attempt: () => Promise<unknown>, code: ParleyError["code"]): Promise<void> {
  try {
    await retryTransient(attempt);
  } catch (error) {
    if (error instanceof ParleyError && error.code === code) return;
    throw error;
  }
  throw new Error("it was allowed");
}

/** Subscribes at once. @returns a function that waits for the first matching event */
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
    const timer = setTimeout(() => reject(new Error(`no matching event "${event}" within ${waitMs / 1000} s`)), waitMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      stop();
    }
  };
}
