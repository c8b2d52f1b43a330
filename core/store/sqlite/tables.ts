/**
 * Collections as tables: `chat_messages` holds `_id`, each indexed field as a column of its own, and the whole document as JSON.
 * Tables, columns and indexes that a new release declares are made when it starts.
 */
import type { DatabaseSync } from "node:sqlite";
import { checkName } from "../shapes.ts";
import type { Collection } from "../store.ts";

export interface Table {
  readonly collection: Collection;
  readonly name: string;
  /** Indexed fields, without `_id`. */
  readonly columns: readonly string[];
}
export type Tables = ReadonlyMap<string, Table>;

const quoted = (name: string): string => `"${name}"`;

/** The service's tables by their collection's name. */
export function makeTables(connection: DatabaseSync, service: string, collections: readonly Collection[]): Tables {
  const tables = collections.map((collection) => tableOf(service, collection));
  connection.exec("BEGIN IMMEDIATE");
  try {
    for (const table of tables) make(connection, table);
    connection.exec("COMMIT");
  } catch (error) {
    if (connection.isTransaction) connection.exec("ROLLBACK");
    throw error;
  }
  return new Map(tables.map((table) => [table.collection.name, table]));
}

export function tableOf(service: string, collection: Collection): Table {
  const fields = Object.values(collection.indexes).flatMap((index) => index.fields);
  for (const field of fields) checkName(collection, field);
  return { collection, name: `${service}_${collection.name}`, columns: [...new Set(fields)].filter((field) => field !== "_id") };
}

function make(connection: DatabaseSync, { name, columns, collection }: Table): void {
  // Columns have no type: a text that looks like a number must stay a text.
  connection.exec(`CREATE TABLE IF NOT EXISTS ${quoted(name)} (_id TEXT NOT NULL PRIMARY KEY, doc TEXT NOT NULL)`);
  const there = new Set(
    connection
      .prepare(`SELECT name FROM pragma_table_info(?)`)
      .all(name)
      .map((column) => column["name"]),
  );
  for (const column of columns.filter((field) => !there.has(field))) {
    connection.exec(`ALTER TABLE ${quoted(name)} ADD COLUMN ${quoted(column)}`);
    connection.exec(`UPDATE ${quoted(name)} SET ${quoted(column)} = doc ->> '$.${column}'`);
  }
  const wanted = new Map(
    Object.entries(collection.indexes).map(([index, { fields, unique }]) => {
      const on = `${quoted(name)} (${fields.map(quoted).join(", ")})`;
      return [`${name}_${index}`, `CREATE ${unique === true ? "UNIQUE " : ""}INDEX ${quoted(`${name}_${index}`)} ON ${on}`];
    }),
  );
  const made = connection
    .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL")
    .all(name);
  for (const { name: index, sql } of made as { name: string; sql: string }[]) {
    if (wanted.get(index) === sql) wanted.delete(index);
    else connection.exec(`DROP INDEX ${quoted(index)}`);
  }
  for (const sql of wanted.values()) connection.exec(sql);
}
