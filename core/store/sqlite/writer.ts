/**
 * Sends commits to the writer thread. Commits that arrive while a group is being written form the next group, so that they share the cost
 * of one durable write and one exchange of messages between the threads.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Logger } from "moleculer";
import type { CommitFailure, CommitGroup, GroupOutcome } from "./writer-messages.ts";
import { histogram } from "../../metrics/declare.ts";
import { statementCache, type Statements, type StatementCall } from "./statements.ts";
import type { Health } from "../../health.ts";

export interface Writer {
  readonly statements: Statements;
  /** Resolves when the commit is durable and visible, or has failed. */
  write(steps: readonly StatementCall[]): Promise<CommitFailure | undefined>;
  health(): Health;
  /** Writes the queued commits, then ends the thread. */
  close(): Promise<void>;
}

interface PendingCommit {
  readonly steps: readonly StatementCall[];
  readonly answer: (failure: CommitFailure | undefined) => void;
}

const groupCommits = histogram("parley_store_group_commits", "Number of commits per durable write of the embedded store", {
  buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
});

const unavailable = (detail: string): CommitFailure => ({ kind: "unavailable", detail });

export async function startWriter(file: string, log: Logger): Promise<Writer> {
  const statements = statementCache();
  /** Undefined while no thread runs, and permanently after `close` or a failed restart. */
  let thread: Worker | undefined;
  /** How many statements the thread has received. */
  let sentStatements = 0;
  let queued: PendingCommit[] = [];
  let inFlight: PendingCommit[] | undefined;
  let scheduled = false;
  let closing = false;
  let writeError: string | undefined;
  let onIdle: () => void = () => undefined;

  const send = () => {
    scheduled = false;
    if (thread === undefined || inFlight !== undefined || queued.length === 0) return;
    inFlight = queued;
    queued = [];
    groupCommits.of().observe(inFlight.length);
    const group: CommitGroup = {
      first: sentStatements,
      statements: statements.list.slice(sentStatements),
      commits: inFlight.map(({ steps }) => steps),
    };
    sentStatements = statements.list.length;
    thread.postMessage(group);
  };
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    // Runs after the other callbacks of this tick, so that the commits they make join the group.
    setImmediate(send);
  };
  const answer = (outcome: GroupOutcome) => {
    writeError = outcome?.find((failure) => failure?.kind === "unavailable")?.detail;
    if (writeError !== undefined) {
      log.error(`The store can't write: ${writeError}`);
      sentStatements = 0; // the failure may have come before the thread prepared all of them
    }
    const answered = inFlight ?? [];
    inFlight = undefined;
    for (const [index, waiting] of answered.entries()) waiting.answer(outcome?.[index]);
    if (queued.length > 0) schedule();
    else onIdle();
  };
  const start = async () => {
    const started = new Worker(new URL("./thread.ts", import.meta.url), { workerData: { file } });
    // `once` rejects if the thread fails before its first message.
    await once(started, "message");
    sentStatements = 0;
    thread = started;
    started.on("message", answer);
    started.on("error", (error: Error) => log.error(`The store's writer thread failed: ${error.message}`));
    started.once("exit", () => void restart());
  };
  /**
   * Restarts the thread. Commits in flight may or may not have been written; they fail, so that their callers don't wait for a thread that
   * is gone.
   */
  const restart = async () => {
    thread = undefined;
    if (closing) return;
    const lost = inFlight?.map(() => unavailable("the writer thread ended"));
    try {
      await start();
      answer(lost);
    } catch (error) {
      closing = true;
      inFlight = [...(inFlight ?? []), ...queued];
      queued = [];
      answer(inFlight.map(() => unavailable(`the writer thread can't start: ${(error as Error).message}`)));
    }
  };
  await start();

  return {
    statements,
    write(steps) {
      if (closing) return Promise.resolve(unavailable("the store is closed"));
      return new Promise((answer) => {
        queued.push({ steps, answer });
        if (inFlight === undefined) schedule();
      });
    },
    health: () => (writeError === undefined ? { ok: true } : { ok: false, detail: writeError }),
    async close() {
      closing = true;
      if (inFlight !== undefined || queued.length > 0) await new Promise<void>((done) => (onIdle = done));
      const last = thread;
      if (last === undefined) return;
      const ended = once(last, "exit");
      last.postMessage("close");
      await ended;
    },
  };
}
