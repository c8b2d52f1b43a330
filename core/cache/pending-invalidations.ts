/**
 * The keys that could not be forgotten because Redis was away. As long as there are any, this node must not read the cache: what
 * it holds may be from before a write that this node has answered.
 */
export interface PendingInvalidations {
  add(keys: readonly string[]): void;
  isEmpty(): boolean;
  /** Drops them from the cache; what can't be dropped stays remembered. Never throws. */
  retry(): Promise<void>;
}

const maxKeys = 1000;

/** @param drop  drops these keys, or (there are too many to remember) everything */
export function pendingInvalidations(drop: (keys: readonly string[] | "everything") => Promise<unknown>): PendingInvalidations {
  const pending = new Set<string>();
  let everything = false;
  let dropping = false;

  const add = (keys: readonly string[]): void => {
    for (const key of keys) pending.add(key);
    if (pending.size <= maxKeys) return;
    everything = true;
    pending.clear();
  };
  const isEmpty = () => pending.size === 0 && !everything && !dropping;

  return {
    add,
    isEmpty,
    async retry() {
      if (dropping || isEmpty()) return;
      // Taken out first: what is missed again while they are being dropped is a later write's.
      const [keys, all] = [[...pending], everything];
      pending.clear();
      everything = false;
      dropping = true;
      try {
        await drop(all ? "everything" : keys);
      } catch {
        add(keys);
        everything ||= all;
      } finally {
        dropping = false;
      }
    },
  };
}
