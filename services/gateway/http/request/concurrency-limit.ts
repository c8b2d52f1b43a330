/** Limits concurrent operations whose duration clients determine, in total and per user. */
import { Unavailable } from "../../../../core/errors.ts";
import { resource } from "../../../../core/metrics/resources.ts";

export interface ConcurrencyLimit {
  /**
   * @returns releases the slot; call it once
   * @throws Unavailable  no slot is free
   */
  acquire(userId: string): () => void;
}

/**
 * @param name     in metrics
 * @param refusal  the error's message when no slot is free
 */
export function concurrencyLimit({
  name,
  total,
  perUser,
  refusal,
}: {
  name: string;
  total: number;
  perUser: number;
  refusal: string;
}): ConcurrencyLimit {
  const usage = resource(name, total);
  const byUser = new Map<string, number>();
  let inUse = 0;
  return {
    acquire(userId) {
      const userCount = byUser.get(userId) ?? 0;
      if (userCount >= perUser || inUse >= total) {
        usage.countRefusal();
        throw new Unavailable(refusal);
      }
      usage.enter();
      byUser.set(userId, userCount + 1);
      inUse++;
      return () => {
        inUse--;
        usage.leave();
        const remaining = byUser.get(userId)! - 1;
        if (remaining > 0) byUser.set(userId, remaining);
        else byUser.delete(userId);
      };
    },
  };
}
