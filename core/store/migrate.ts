/**
 * Migrates a service's data to the program's schema version before the service starts. Any number of nodes may do this at the same time.
 * Each page is one commit of its work and the schema row, which it expects unchanged. So of several nodes with the same page one succeeds,
 * a killed process leaves what it committed, and a process that was paused finds its expectation unmet. A lease would not stop it.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "moleculer";
import { StartError, codeOf } from "../errors.ts";
import { faultPoint } from "../fault-points.ts";
import {
  checkMigrations,
  assertSchemaSupported,
  schemas,
  ensureStoredSchema,
  versionOf,
  type MigrationCursor,
  type Migration,
  type SchemaRow,
} from "./migrations.ts";
import { update, type Collection, type Database, type Store } from "./store.ts";

/** Rows per page. On MongoDB a page is one transaction and must complete within 3 s. */
const maxRows = 200;
/** Operations per page; a migration may need several for each row. */
const maxOperations = 2000;
/** How many times in a row a page may conflict with other writes, with half the rows each time, before the migration fails. */
const maxConflicts = 200;
const backOffMs = { first: 250, longest: 5000 };
/** How often to check another node's progress. */
const otherNodePollMs = 200;
const logEveryMs = 5000;

export interface MigrateContext {
  readonly store: Store;
  readonly service: string;
  readonly collections: readonly Collection[];
  readonly migrations: readonly Migration[];
  readonly log: Logger;
}

/**
 * Opens a service's database with its data at the program's version, or at a newer version that this program may run on. While the store is
 * unavailable, retries with back-off and logs each try.
 * @throws StartError  data or indexes that this program can't run on
 */
export async function openMigrated(context: MigrateContext): Promise<Database> {
  const { store, service, collections, migrations, log } = context;
  checkMigrations(migrations);
  const retry = retryWhileUnavailable(service, log);
  const db = await retry(() => store.open(service, [...collections, schemas]));
  const migrate = migrationRunner(context, db);
  while (!(await retry(migrate))) void 0;
  return db;
}

type RetryWhileUnavailable = <T>(attempt: () => Promise<T>) => Promise<T>;

/** Retries with back-off while the store is unavailable, and logs each try. @param service  for the log */
export function retryWhileUnavailable(service: string, log: Logger): RetryWhileUnavailable {
  return async (attempt) => {
    for (let waitMs = backOffMs.first; ; waitMs = Math.min(waitMs * 2, backOffMs.longest)) {
      try {
        return await attempt();
      } catch (error) {
        if (codeOf(error) !== "UNAVAILABLE") throw error;
        log.warn(`${service} can't start yet, trying again in ${waitMs} ms: ${(error as Error).message}`);
      }
      await pause(waitMs);
    }
  };
}

/** @returns a function that does one page, or waits for another node's, and resolves to whether everything is done */
function migrationRunner({ service, migrations, log }: MigrateContext, db: Database): () => Promise<boolean> {
  const progress = progressLog(service, log);
  let limit = maxRows;
  let conflicts = 0;
  /** The schema row as another node last left it. */
  let otherNodesRow: SchemaRow | undefined;

  async function step(): Promise<boolean> {
    const seen = await ensureStoredSchema(db);
    assertSchemaSupported(service, seen, migrations);
    if (seen.version >= versionOf(migrations)) {
      progress.reached(seen);
      return true;
    }
    const migration = migrations.find(({ to }) => to === seen.version + 1)!;
    progress.at(seen, migration);
    if (otherNodesRow !== undefined && otherNodesRow.rev !== seen.rev) return waitForOtherNode(seen);
    otherNodesRow = undefined;
    try {
      await commitPage(seen, migration);
      limit = Math.min(limit * 2, maxRows);
      conflicts = 0;
    } catch (error) {
      // A smaller page may fit into MongoDB's time limit.
      limit = Math.max(1, Math.floor(limit / 2));
      const now = await ensureStoredSchema(db);
      if (now.rev !== seen.rev) return waitForOtherNode(now);
      if (codeOf(error) !== "CONFLICT") throw error;
      conflicts += 1;
      if (conflicts > maxConflicts)
        throw new StartError(`the migration of ${service} to schema ${migration.to} keeps conflicting with other writes`);
      await pause(Math.random() * Math.min(100, 5 * conflicts));
    }
    return false;
  }

  async function waitForOtherNode(seen: SchemaRow): Promise<boolean> {
    otherNodesRow = seen;
    await pause(otherNodePollMs * (0.5 + Math.random()));
    return false;
  }

  async function commitPage(seen: SchemaRow, { to, oldest, page }: Migration): Promise<void> {
    const { _id, version, rev, cursor, done } = seen;
    const change = (set: Partial<SchemaRow>) => update(schemas, { _id, version, rev, cursor }, { ...set, rev: rev + 1 });
    if (oldest !== undefined && oldest > seen.oldest) {
      // Committed before the first change, so that no older program starts on data it can't read.
      await db.commit([change({ oldest })]);
      return;
    }
    const batch = await page({ db, cursor: cursor === null ? undefined : (JSON.parse(cursor) as MigrationCursor), limit });
    if (batch.operations.length > maxOperations) throw new Error(`a page of the migration of ${service} to ${to} has no bound`);
    const isLast = batch.next === undefined;
    const reached = isLast ? { version: to, cursor: null, done: 0 } : { cursor: JSON.stringify(batch.next) };
    faultPoint("schema.page");
    await db.commit([change({ done: done + batch.operations.length, ...reached }), ...batch.operations]);
  }
  return step;
}

/** Logs a migration's progress: at its start on this node, every few seconds, and when all migrations are done. */
function progressLog(service: string, log: Logger) {
  let loggedAt: number | undefined;
  return {
    at({ version, done }: SchemaRow, { to, description }: Migration): void {
      if (loggedAt !== undefined && performance.now() - loggedAt < logEveryMs) return;
      log.info(`${service} migrates from schema ${version} to ${to} (${description}): ${done} changes so far`);
      loggedAt = performance.now();
    },
    reached({ version }: SchemaRow): void {
      if (loggedAt !== undefined) log.info(`${service} has schema ${version} now`);
    },
  };
}
