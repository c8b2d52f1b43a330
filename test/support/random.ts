/** Generates random numbers that a seed repeats, and makes random choices. */

/** @returns a generator of numbers from 0 to 1: the linear congruential one of Numerical Recipes */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** Chooses one at random. @param chance  a random number from 0 to 1 */
export function weighted<T>(all: readonly T[], weightOf: (one: T) => number, chance: number): T {
  let left = chance * all.reduce((sum, one) => sum + weightOf(one), 0);
  return all.find((one) => (left -= weightOf(one)) < 0) ?? all[0]!;
}
