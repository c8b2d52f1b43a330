/** Commits operations: as a single atomic command if possible, otherwise as a transaction that is retried until its outcome is known. */
import { setTimeout as pause } from "node:timers/promises";
import type { mongo } from "mongoose";
import { Conflict } from "../../errors.ts";
import { faultPoint } from "../../fault-points.ts";
import { checkOperation } from "../query-checks.ts";
import type { Operation } from "../store.ts";
import type { MongoCollections } from "./collections.ts";
import { duplicateOf, isTransient, isUnknownOutcome, withStoreErrors } from "./failures.ts";
import { isAtomic, UpsertRace, readServerTime, batchesOf, write, writeWithServerTime, type WriteContext } from "./operations.ts";

/**
 * How long to retry a commit. When a writer dies during a transaction, its rows stay locked for the server's transaction lifetime (3 s) and
 * up to 1.5 s more, until the server's next check.
 */
const retryForMs = 8000;
const backOffMs = { first: 5, longest: 250 };

/** @returns the commit's time by the server's clock, epoch milliseconds */
export function commit(client: mongo.MongoClient, collections: MongoCollections, operations: readonly Operation[]): Promise<number> {
  operations.forEach(checkOperation);
  return withStoreErrors(() =>
    isAtomic(operations)
      ? writeWithServerTime(operations[0], { collections })
      : commitTransactionWithRetry(client, collections, operations),
  );
}

async function commitTransactionWithRetry(
  client: mongo.MongoClient,
  collections: MongoCollections,
  operations: readonly Operation[],
): Promise<number> {
  const deadline = Date.now() + retryForMs;
  for (let waitMs = backOffMs.first; ; waitMs = Math.min(waitMs * 2, backOffMs.longest)) {
    try {
      return await tryTransaction(client, collections, operations, deadline);
    } catch (error) {
      if (!(isTransient(error) || error instanceof UpsertRace) || Date.now() + waitMs > deadline) throw error;
    }
    // The wait is random: with fixed waits the same two writers would collide again.
    await pause(waitMs * (0.5 + Math.random()));
  }
}

async function tryTransaction(
  client: mongo.MongoClient,
  collections: MongoCollections,
  operations: readonly Operation[],
  deadline: number,
): Promise<number> {
  const session = client.startSession();
  try {
    session.startTransaction({ readConcern: { level: "snapshot" } });
    const at = await writeAll(operations, { collections, session });
    faultPoint("store.commit");
    await commitUntilKnown(session, deadline);
    return at;
  } catch (error) {
    if (error instanceof Conflict || duplicateOf(error) !== undefined) await untilReadable({ collections, session });
    throw error;
  } finally {
    // Aborts an uncommitted transaction. If the abort doesn't arrive, the server ends the transaction by itself.
    await session.endSession().catch(() => undefined);
  }
}

/**
 * Waits until a majority read sees the write that caused this refusal. Transactions conflict with a write immediately, but readers see
 * it only when a majority has it on disk. The caller reads again to find the reason and must not find the old state. A read in this session is
 * ordered after the refusal.
 */
async function untilReadable(context: Required<WriteContext>): Promise<void> {
  if (context.session.inTransaction()) await context.session.abortTransaction();
  await readServerTime(context);
}

/** The first command returns the server's time, and the other commands write it. */
async function writeAll(operations: readonly Operation[], context: Required<WriteContext>): Promise<number> {
  const [first, ...others] = operations as [Operation, ...Operation[]];
  const timedFirst = first.op === "insert" || first.op === "update" || first.op === "expect";
  const at = timedFirst ? await writeWithServerTime(first, context) : await readServerTime(context);
  for (const run of batchesOf(timedFirst ? others : operations)) await write(run, at, context);
  return at;
}

async function commitUntilKnown(session: mongo.ClientSession, deadline: number): Promise<void> {
  for (;;) {
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      if (!isUnknownOutcome(error) || Date.now() > deadline) throw error;
    }
    await pause(backOffMs.longest);
  }
}
