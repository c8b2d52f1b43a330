/** Places for what holds something for as long as a client likes: so many for all, and so many for one person. */
import { Unavailable } from "../../../core/errors.ts";

export interface Places {
  /**
   * @returns call it once, when it is over
   * @throws Unavailable  all are taken
   */
  enter(userId: string): () => void;
}

export function places({ total, ofOne, refusal }: { total: number; ofOne: number; refusal: string }): Places {
  const ofPerson = new Map<string, number>();
  let taken = 0;
  return {
    enter(userId) {
      const own = ofPerson.get(userId) ?? 0;
      if (own >= ofOne || taken >= total) throw new Unavailable(refusal);
      ofPerson.set(userId, own + 1);
      taken++;
      return () => {
        taken--;
        const left = ofPerson.get(userId)! - 1;
        if (left > 0) ofPerson.set(userId, left);
        else ofPerson.delete(userId);
      };
    },
  };
}
