/**
 * Counts the rows that the store reads for a history page and a sync, against the rows it returns. SQLite has no such counter: chat's own
 * code runs on the store, and each of its queries is run again with a counting function in its condition, which SQLite calls for each row
 * that the index yields. For MongoDB the profiler counts the queries of the mesh's real nodes.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import mongoose from "mongoose";
import type { CallContext } from "../../core/contract/call.ts";
import { indexRangeOf } from "../../core/store/query-checks.ts";
import { countQuery, pageQuery, type SqlQuery } from "../../core/store/sqlite/pages.ts";
import { tableOf } from "../../core/store/sqlite/tables.ts";
import type { Database, Doc } from "../../core/store/store.ts";
import { openChatTimelines, callContextFor } from "../../test/support/systems/chat-timelines.ts";
import type { TestStore } from "../../test/support/store/stores.ts";
import type { ChatContext } from "../../services/chat/context.ts";
import { openChats } from "../seed/chats.ts";
import type { Filled } from "../seed/filled.ts";

export interface RowsRead {
  readonly read: number;
  readonly returned: number;
  /** The distinct query plans. */
  readonly plans: readonly string[];
}

/** Runs chat's code for a user's request on a store whose server has stopped. */
export async function readFromSqlite(
  { openStore, location }: Filled<unknown>,
  userId: string,
  act: (context: CallContext<ChatContext>) => Promise<unknown>,
): Promise<RowsRead> {
  const store = await openStore();
  const connection = new DatabaseSync(join(location[1], "parley.db"), { readOnly: true });
  try {
    const queries: SqlQuery[] = [];
    await act(callContextFor(await openChatTimelines(store, recorded(await openChats(store), queries)), userId));
    const counted = queries.map((query) => counting(connection, query));
    return {
      read: counted.reduce((sum, { read }) => sum + read, 0),
      returned: counted.reduce((sum, { returned }) => sum + returned, 0),
      plans: [...new Set(counted.flatMap(({ plan }) => plan))],
    };
  } finally {
    connection.close();
    await store.close();
  }
}

/** Wraps a database to record its index queries. */
function recorded(db: Database, queries: SqlQuery[]): Database {
  return {
    ...db,
    page(from, page) {
      queries.push(pageQuery(tableOf("chat", from), indexRangeOf(from, page), page.index));
      return db.page(from, page);
    },
    count(from, page) {
      queries.push(countQuery(tableOf("chat", from), indexRangeOf(from, page), page.index));
      return db.count(from, page);
    },
  };
}

function counting(connection: DatabaseSync, { sql, values }: SqlQuery): { read: number; returned: number; plan: string[] } {
  let read = 0;
  connection.function("let_through", () => {
    read++;
    return 1;
  });
  const counted = sql.replace(" WHERE ", " WHERE let_through() AND ");
  if (counted === sql) throw new Error(`a query without a condition: ${sql}`);
  const rows = connection.prepare(counted).all(...values);
  const plan = connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
  const total = rows[0]?.["count(*)"];
  return { read, returned: typeof total === "number" ? total : rows.length, plan: plan.map(({ detail }) => String(detail)) };
}

interface Profiled extends Doc {
  readonly docsExamined?: number;
  readonly nreturned?: number;
  readonly planSummary?: string;
}

/** Profiles the mesh's queries of chat's messages during `act`. */
export async function readFromMongo(
  { location }: { readonly location: TestStore["location"] },
  act: () => Promise<unknown>,
): Promise<RowsRead> {
  const client = new mongoose.mongo.MongoClient(location[1]);
  try {
    const db = client.db(`${location[2]}_chat`);
    await db.command({ profile: 2 });
    await act();
    await db.command({ profile: 0 });
    const profile = db.collection<Profiled>("system.profile");
    const found = await profile.find({ ns: `${db.databaseName}.messages`, op: { $in: ["query", "getmore"] } }).toArray();
    await profile.drop();
    return {
      read: found.reduce((sum, { docsExamined = 0 }) => sum + docsExamined, 0),
      returned: found.reduce((sum, { nreturned = 0 }) => sum + nreturned, 0),
      plans: [...new Set(found.map(({ planSummary = "" }) => planSummary))],
    };
  } finally {
    await client.close();
  }
}
