/** Places for what holds something for as long as a client likes: so many for all, and so many for one person. */
import { Unavailable } from "../../../../core/errors.ts";
import { resource } from "../../../../core/metrics/resources.ts";

export interface ConcurrencyLimit {
  /**
   * @returns call it once, when it is over
   * @throws Unavailable  all are taken
   */
  acquire(userId: string): () => void;
}

/**
 * @param name     as metrics call it
 * @param refusal  what is told to who comes when all are taken
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
