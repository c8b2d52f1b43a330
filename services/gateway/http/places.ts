/** Places for what holds something for as long as a client likes: so many for all, and so many for one person. */
import { Unavailable } from "../../../core/errors.ts";
import { resource } from "../../../core/metrics/resources.ts";

export interface Places {
  /**
   * @returns call it once, when it is over
   * @throws Unavailable  all are taken
   */
  enter(userId: string): () => void;
}

/**
 * @param name     as metrics call it
 * @param refusal  what is told to who comes when all are taken
 */
export function places({ name, total, ofOne, refusal }: { name: string; total: number; ofOne: number; refusal: string }): Places {
  const all = resource(name, total);
  const ofPerson = new Map<string, number>();
  let taken = 0;
  return {
    enter(userId) {
      const own = ofPerson.get(userId) ?? 0;
      if (own >= ofOne || taken >= total) {
        all.countRefusal();
        throw new Unavailable(refusal);
      }
      all.enter();
      ofPerson.set(userId, own + 1);
      taken++;
      return () => {
        taken--;
        all.leave();
        const left = ofPerson.get(userId)! - 1;
        if (left > 0) ofPerson.set(userId, left);
        else ofPerson.delete(userId);
      };
    },
  };
}
