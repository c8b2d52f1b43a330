/**
 * Remembers keys that could not be invalidated because Redis could not be reached. While there are any, this node does not read the cache,
 * because the cache may hold values older than writes that this node has acknowledged.
 */
export interface PendingInvalidations {
  add(keys: readonly string[]): void;
  isEmpty(): boolean;
  /** Removes the keys from the cache. Keys that can't be removed stay pending. Never throws. */
  retry(): Promise<void>;
}

const maxKeys = 1000;

/** @param drop  removes these keys from the cache, or all keys if there were too many to remember */
export function pendingInvalidations(drop: (keys: readonly string[] | "everything") => Promise<unknown>): PendingInvalidations {
  const pending = new Set<string>();
  let everything = false;
  let dropping = false;

  const add = (keys: readonly string[]): void => {
    if (everything) return;
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
      // Clear the set before dropping its keys. Keys added meanwhile belong to later writes and must stay.
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
