/**
 * Leads a service's data to its program's schema version, before the service starts. Any number of nodes do so at the same time: each
 * page is one commit with its work and the schema row, expected as it was read. So of those who do the same page one gets through, a
 * process that is killed leaves what it committed, and one that was frozen finds its expectation unmet: a lease would not stop it.
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

/** Rows of a page. On MongoDB a page is a transaction, which must be over within 3 s. */
const maxRows = 200;
/** A migration may need several operations a row. */
const maxOperations = 2000;
/** So often in a row a page may meet others' writes to its rows, halved each time, before something must be wrong with it. */
const maxConflicts = 200;
const backOffMs = { first: 250, longest: 5000 };
/** Another node's progress is looked at so often. */
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
 * Opens a service's database, its data at the program's version or a newer one that this program may run on. Waits with back-off
 * while the store is away, saying so at each try.
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

/** Tries again for as long as the store is away, with back-off, saying so. @param service  for the log */
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

/** @returns does one page, or waits for another node's; answers whether everything is done */
function migrationRunner({ service, migrations, log }: MigrateContext, db: Database): () => Promise<boolean> {
  const progress = progressLog(service, log);
  let limit = maxRows;
  let conflicts = 0;
  /** As it was when another node got through. */
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
      // What MongoDB could not finish in time may be smaller the next time.
      limit = Math.max(1, Math.floor(limit / 2));
      const now = await ensureStoredSchema(db);
      if (now.rev !== seen.rev) return waitForOtherNode(now);
      if (codeOf(error) !== "CONFLICT") throw error;
      conflicts += 1;
      if (conflicts > maxConflicts) throw new StartError(`the migration of ${service} to schema ${migration.to} meets only conflicts`);
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
      // Before the first change, so that no older program starts on data it can't read.
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

/** Says where a migration is: when it begins here, every few seconds, and when all are done. */
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
