/** Counts the events of an embedded server that are not published yet, or not handled. */
import type { DatabaseSync } from "node:sqlite";

export const tablesOf = (database: DatabaseSync): string[] =>
  database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all()
    .map(({ name }) => String(name));

/** Whether a table holds events on their way, and so becomes empty by itself. */
export const isOfEvents = (table: string): boolean => /_outbox$|^queue_rows$/.test(table);

/** Counts all in one query: an event is in one of the tables until its handler's changes, and the events that they announce, are stored. */
export function eventsOnTheirWay(database: DatabaseSync): number {
  const counts = tablesOf(database)
    .filter(isOfEvents)
    .map((table) => `(SELECT count(*) FROM "${table}")`);
  return Number(database.prepare(`SELECT ${counts.join(" + ")} AS n`).get()!["n"]);
}
