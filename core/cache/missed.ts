/**
 * The keys that could not be forgotten because Redis was away. As long as there are any, this node must not read the cache: what
 * it holds may be from before a write that this node has answered.
 */
export interface Missed {
  remember(keys: readonly string[]): void;
  isEmpty(): boolean;
  /** Drops them from the cache; what can't be dropped stays remembered. Never throws. */
  makeUp(): Promise<void>;
}

const most = 1000;

/** @param drop  drops these keys, or (there are too many to remember) everything */
export function missedForgets(drop: (keys: readonly string[] | "everything") => Promise<unknown>): Missed {
  const missed = new Set<string>();
  let everything = false;
  let dropping = false;

  const remember = (keys: readonly string[]): void => {
    for (const key of keys) missed.add(key);
    if (missed.size <= most) return;
    everything = true;
    missed.clear();
  };
  const isEmpty = () => missed.size === 0 && !everything && !dropping;

  return {
    remember,
    isEmpty,
    async makeUp() {
      if (dropping || isEmpty()) return;
      // Taken out first: what is missed again while they are being dropped is a later write's.
      const [keys, all] = [[...missed], everything];
      missed.clear();
      everything = false;
      dropping = true;
      try {
        await drop(all ? "everything" : keys);
      } catch {
        remember(keys);
        everything ||= all;
      } finally {
        dropping = false;
      }
    },
  };
}
