/** Announces the state of each of a service's entities again, after a restore from a backup: followers may have missed events. */
import type { Collection, Database, Doc, Operation } from "../core/store/store.ts";

const pageSize = 200;

/**
 * Writes an event for each row to the outbox, page by page. It can be repeated: each run announces the same state.
 * @param index     one that contains every row to announce, whose fields do not change, and which is unique or ends in `_id`. A unique
 *                  index leaves out rows without one of its fields
 * @param cursorOf  a row's values in the index
 */
export async function announceAll<T extends Doc, I extends string>(
  db: Database,
  { from, index, cursorOf }: { from: Collection<T, I>; index: I; cursorOf: (row: T) => readonly (string | number)[] },
  announcement: (row: T) => Operation,
): Promise<void> {
  for (let last: T | undefined; ;) {
    const page: T[] = await db.page(from, { index, ...(last === undefined ? {} : { after: cursorOf(last) }), limit: pageSize });
    if (page.length === 0) return;
    await db.commit(page.map(announcement));
    last = page.at(-1);
  }
}
