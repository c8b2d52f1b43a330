/** Pages of lists: the rule of their cursors, and the cursor of the next page. A cursor is the position of a page's last entry. */

/** A number that the list is sorted by, such as a time in epoch milliseconds, and the id of the entry's row. */
export type PagePosition = readonly [sortedBy: number, id: string];

/** The rule of the param `before` or `after` of a paged list. */
export const pageCursor = {
  type: "string",
  pattern: /^\d{1,15}-[0-9a-f]{24}$/,
  messages: { stringPattern: "must be a cursor of an earlier answer" },
  optional: true,
} as const;

/** @param cursor  valid by `pageCursor` */
export function positionAt(cursor: string): PagePosition {
  const [sortedBy, id] = cursor.split("-") as [string, string];
  return [Number(sortedBy), id];
}

/**
 * Returns the page, and the cursor of the next page if there is one.
 * @param entries  of the list, from the page's first on: `limit + 1` of them, to know whether a page follows
 */
export function pageOf<T>(
  entries: readonly T[],
  limit: number,
  positionOf: (entry: T) => PagePosition,
): { readonly page: readonly T[]; readonly next?: string } {
  const page = entries.slice(0, limit);
  const last = entries.length > limit ? page.at(-1) : undefined;
  return last === undefined ? { page } : { page, next: positionOf(last).join("-") };
}

/** The order of a list whose newest entries come first. */
export const newestFirst = ([timeA, idA]: PagePosition, [timeB, idB]: PagePosition): number =>
  timeB - timeA || (idA < idB ? 1 : idA > idB ? -1 : 0);
