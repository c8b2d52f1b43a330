/**
 * Maps collections to tables: `chat_messages` has `_id`, one column for each indexed field, and the whole document as JSON. Start-up
 * creates the tables, columns and indexes that this release declares; those of other releases stay and are maintained.
 */
import type { DatabaseSync } from "node:sqlite";
import { brokenIndex, changedIndex, renamedIndex } from "../index-errors.ts";
import { checkName } from "../query-checks.ts";
import type { Collection } from "../store.ts";

export interface Table {
  readonly collection: Collection;
  readonly name: string;
  /** Indexed fields without `_id`, including those that only another release indexes. */
  readonly columns: readonly string[];
}
export type Tables = ReadonlyMap<string, Table>;

const quoted = (name: string): string => `"${name}"`;

/**
 * Creates a service's tables.
 * @returns the tables by the name of their collection
 * @throws StartError  an index of the same name differs, or existing rows violate a new unique index
 */
export function createTables(connection: DatabaseSync, service: string, collections: readonly Collection[]): Tables {
  const declared = collections.map((collection) => tableOf(service, collection));
  connection.exec("BEGIN IMMEDIATE");
  try {
    const tables = declared.map((table) => createTable(connection, table));
    connection.exec("COMMIT");
    return new Map(tables.map((table) => [table.collection.name, table]));
  } catch (error) {
    if (connection.isTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

export function tableOf(service: string, collection: Collection): Table {
  const fields = Object.values(collection.indexes).flatMap((index) => index.fields);
  for (const field of fields) checkName(collection, field);
  return { collection, name: `${service}_${collection.name}`, columns: [...new Set(fields)].filter((field) => field !== "_id") };
}

/** @returns the table with every column it has in the file */
function createTable(connection: DatabaseSync, table: Table): Table {
  const { name, columns } = table;
  // Columns have no type: a text that looks like a number must stay a text.
  connection.exec(`CREATE TABLE IF NOT EXISTS ${quoted(name)} (_id TEXT NOT NULL PRIMARY KEY, doc TEXT NOT NULL)`);
  const existing = connection
    .prepare(`SELECT name FROM pragma_table_info(?)`)
    .all(name)
    .map((column) => column["name"] as string);
  for (const column of columns.filter((field) => !existing.includes(field))) {
    connection.exec(`ALTER TABLE ${quoted(name)} ADD COLUMN ${quoted(column)}`);
    connection.exec(`UPDATE ${quoted(name)} SET ${quoted(column)} = doc ->> '$.${column}'`);
  }
  createIndexes(connection, table);
  const others = existing.filter((column) => !["_id", "doc", ...columns].includes(column));
  return { ...table, columns: [...columns, ...others] };
}

function createIndexes(connection: DatabaseSync, { name, collection }: Table): void {
  const made = connection
    .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL")
    .all(name) as { name: string; sql: string }[];
  const existing = new Map(made.map((index) => [index.name, index.sql.replace(quoted(index.name), "")]));
  for (const [index, { fields, unique = false }] of Object.entries(collection.indexes)) {
    const indexName = `${name}_${index}`;
    const sql = (as: string) => `CREATE ${unique ? "UNIQUE " : ""}INDEX ${as} ON ${quoted(name)} (${fields.map(quoted).join(", ")})`;
    const same = existing.get(indexName);
    if (same === sql("")) continue;
    if (same !== undefined) throw changedIndex(collection, index);
    const [other] = [...existing].find(([, body]) => body === sql("")) ?? [];
    if (other !== undefined) throw renamedIndex(collection, index, other.slice(name.length + 1));
    try {
      connection.exec(sql(quoted(indexName)));
    } catch (error) {
      if ((error as { errcode?: number }).errcode === constraintUnique) throw brokenIndex(collection, index);
      throw error;
    }
  }
}

const constraintUnique = 2067;
