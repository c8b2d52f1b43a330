/** Announcing the state of all of a service's entities anew, for followers that may have missed it: after a restore from a backup. */
import type { Collection, Database, Doc, Operation } from "../core/store/store.ts";

const pageSize = 200;

/**
 * Writes an event for each row to the outbox, a page at a time; done again, it is the same once more.
 * @param index     a unique index that holds all rows
 * @param cursorOf  a row's values in it
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
