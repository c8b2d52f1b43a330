/**
 * The main thread's end of the writer: commits gather while a group is being written, then go together as the next one. So the
 * cost of a durable write is shared by all who wait for it, and threads exchange two messages a group.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Logger } from "moleculer";
import type { CommitFailure, CommitGroup, GroupOutcome } from "./writer-messages.ts";
import { histogram } from "../../metrics/declare.ts";
import { statementCache, type Statements, type StatementCall } from "./statements.ts";

export interface Writer {
  readonly statements: Statements;
  /** Resolves once the commit is durable and visible, or has failed. */
  write(steps: readonly StatementCall[]): Promise<CommitFailure | undefined>;
  health(): { ok: boolean; detail?: string };
  /** Writes what has gathered, then ends. */
  close(): Promise<void>;
}

interface PendingCommit {
  readonly steps: readonly StatementCall[];
  readonly answer: (failure: CommitFailure | undefined) => void;
}

const groupCommits = histogram("parley_store_group_commits", "Commits that the embedded store made durable together", {
  buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
});

const unavailable = (detail: string): CommitFailure => ({ kind: "unavailable", detail });

export async function startWriter(file: string, log: Logger): Promise<Writer> {
  const statements = statementCache();
  /** Undefined while there is none, and for good after `close` or when it can't be started again. */
  let thread: Worker | undefined;
  /** How many of the statements the thread knows. */
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
    // After this tick's other callbacks: whoever they let commit joins the group.
    setImmediate(send);
  };
  const answer = (outcome: GroupOutcome) => {
    writeError = outcome?.find((failure) => failure?.kind === "unavailable")?.detail;
    if (writeError !== undefined) {
      log.error(`The store can't write: ${writeError}`);
      sentStatements = 0; // it may have failed at a statement it was told of
    }
    const answered = inFlight ?? [];
    inFlight = undefined;
    for (const [index, waiting] of answered.entries()) waiting.answer(outcome?.[index]);
    if (queued.length > 0) schedule();
    else onIdle();
  };
  const start = async () => {
    const started = new Worker(new URL("./thread.ts", import.meta.url), { workerData: { file } });
    // Rejects when the thread fails first.
    await once(started, "message");
    sentStatements = 0;
    thread = started;
    started.on("message", answer);
    started.on("error", (error: Error) => log.error(`The store's writer thread failed: ${error.message}`));
    started.once("exit", () => void restart());
  };
  /** Whatever was under way may have been written or not; nobody waits for ever for a thread that is gone. */
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
      answer(inFlight.map(() => unavailable(`the writer thread can't be started: ${(error as Error).message}`)));
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
