/** Deletes expired sessions in the background. */
import { remove } from "../../../core/store/store.ts";
import type { AuthContext } from "../context.ts";
import { sessions, sessionsExpiredBefore } from "./sessions.repository.ts";

/** Sessions stay for `expiredForMs` after their token expired, for gateways whose clock is behind. */
const expirySweep = { everyMs: 60_000, batch: 500, expiredForMs: 5 * 60_000 } as const;

/**
 * Deletes sessions whose tokens have expired, in batches.
 * @returns the number of deleted sessions
 */
export async function deleteExpiredSessions({ db, clock }: AuthContext): Promise<number> {
  const before = clock.now() - expirySweep.expiredForMs;
  for (let swept = 0; ;) {
    const expired = await sessionsExpiredBefore(db, before, expirySweep.batch);
    if (expired.length > 0) await db.commit(expired.map(({ _id }) => remove(sessions, { _id })));
    swept += expired.length;
    if (expired.length < expirySweep.batch) return swept;
  }
}

/** Sweeps every minute. @returns stops the sweeps, and resolves when a running one has ended */
export function startExpirySweep(context: AuthContext): () => Promise<unknown> {
  let running: Promise<unknown> = Promise.resolve();
  const run = () =>
    deleteExpiredSessions(context).catch((error: unknown) => context.log.warn("Expired sessions stay until the next sweep", error));
  const timer = setInterval(() => (running = run()), expirySweep.everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    return running;
  };
}
