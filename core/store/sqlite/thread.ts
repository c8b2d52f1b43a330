/**
 * Runs the writer thread: writes each group of commits in one durable transaction, and each commit in its own savepoint, so that an unmet
 * expectation fails only that commit. Replies after COMMIT, when the write-ahead log is on disk.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CommitFailure, CommitGroup, GroupOutcome } from "./writer-messages.ts";
import type { Statement, StatementCall } from "./statements.ts";

const db = new DatabaseSync((workerData as { file: string }).file);
// synchronous = FULL applies to one connection. Without it a commit would be acknowledged before it is on disk. The log may grow to 16 MB
// before a checkpoint, so that a page that many commits change is copied once.
db.exec("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000; PRAGMA wal_autocheckpoint = 8000");

const prepared: { readonly statement: StatementSync; readonly must: Statement["must"] }[] = [];
const begin = db.prepare("BEGIN IMMEDIATE");
const commit = db.prepare("COMMIT");
const savepoint = db.prepare("SAVEPOINT one");
const release = db.prepare("RELEASE one");
const rollbackTo = db.prepare("ROLLBACK TO one");

parentPort!.on("message", (group: CommitGroup | "close") => {
  if (group === "close") {
    db.close();
    parentPort!.close();
  } else {
    parentPort!.postMessage(write(group));
  }
});
parentPort!.postMessage("ready");

function write({ first, statements, commits }: CommitGroup): GroupOutcome {
  try {
    for (const [index, { sql, must }] of statements.entries()) prepared[first + index] = { statement: db.prepare(sql), must };
    begin.run();
    const failures = commits.map(runInSavepoint);
    commit.run();
    return failures.some((failure) => failure !== undefined) ? failures : undefined;
  } catch (error) {
    // On a full or broken disk SQLite may already have rolled back.
    if (db.isTransaction) db.exec("ROLLBACK");
    const failure = { kind: "unavailable", detail: (error as Error).message } as const;
    return commits.map(() => failure);
  }
}

/** @throws Error  the disk failed, not this commit */
function runInSavepoint(steps: readonly StatementCall[]): CommitFailure | undefined {
  savepoint.run();
  const failure = runStatements(steps);
  if (failure !== undefined) rollbackTo.run();
  release.run();
  return failure;
}

function runStatements(steps: readonly StatementCall[]): CommitFailure | undefined {
  try {
    for (const [number, values] of steps) {
      const { statement, must } = prepared[number]!;
      const met = must === "find" ? statement.get(...values) !== undefined : statement.run(...values).changes !== 0 || must === undefined;
      if (!met) return { kind: "conflict" };
    }
    return undefined;
  } catch (error) {
    return failureOf(error as Error & { errcode?: number });
  }
}

const constraintUnique = 2067;
const constraintPrimaryKey = 1555;
/**
 * Error codes of the disk, as opposed to a single commit: PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL,
 * NOTADB.
 */
const diskCodes = [3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 26];

function failureOf(error: Error & { errcode?: number }): CommitFailure {
  const { errcode, message } = error;
  if (errcode === constraintUnique || errcode === constraintPrimaryKey) {
    return { kind: "duplicate", constraint: message.slice(message.indexOf(": ") + 2) };
  }
  if (errcode !== undefined && diskCodes.includes(errcode & 0xff)) throw error;
  return { kind: "error", detail: message };
}
