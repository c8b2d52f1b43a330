/**
 * The main thread's end of the writer: commits gather while a group is being written, then go together as the next one. So the
 * cost of a durable write is shared by all who wait for it, and threads exchange two messages a group.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Logger } from "moleculer";
import type { Failure, Group, Outcome } from "./messages.ts";
import { histogram } from "../../metrics/declare.ts";
import { statementCache, type Statements, type Step } from "./statements.ts";

export interface Writer {
  readonly statements: Statements;
  /** Resolves once the commit is durable and visible, or has failed. */
  write(steps: readonly Step[]): Promise<Failure | undefined>;
  health(): { ok: boolean; detail?: string };
  /** Writes what has gathered, then ends. */
  close(): Promise<void>;
}

interface Waiting {
  readonly steps: readonly Step[];
  readonly answer: (failure: Failure | undefined) => void;
}

const groupCommits = histogram("parley_store_group_commits", "Commits that the embedded store made durable together", {
  buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
});

const unavailable = (detail: string): Failure => ({ kind: "unavailable", detail });

export async function startWriter(file: string, log: Logger): Promise<Writer> {
  const statements = statementCache();
  /** Undefined while there is none, and for good after `close` or when it can't be started again. */
  let thread: Worker | undefined;
  /** How many of the statements the thread knows. */
  let told = 0;
  let gathering: Waiting[] = [];
  let underWay: Waiting[] | undefined;
  let scheduled = false;
  let closing = false;
  let trouble: string | undefined;
  let settled: () => void = () => undefined;

  const send = () => {
    scheduled = false;
    if (thread === undefined || underWay !== undefined || gathering.length === 0) return;
    underWay = gathering;
    gathering = [];
    groupCommits.of().observe(underWay.length);
    const group: Group = { first: told, statements: statements.list.slice(told), commits: underWay.map(({ steps }) => steps) };
    told = statements.list.length;
    thread.postMessage(group);
  };
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    // After this tick's other callbacks: whoever they let commit joins the group.
    setImmediate(send);
  };
  const answer = (outcome: Outcome) => {
    trouble = outcome?.find((failure) => failure?.kind === "unavailable")?.detail;
    if (trouble !== undefined) {
      log.error(`The store can't write: ${trouble}`);
      told = 0; // it may have failed at a statement it was told of
    }
    const answered = underWay ?? [];
    underWay = undefined;
    for (const [place, waiting] of answered.entries()) waiting.answer(outcome?.[place]);
    if (gathering.length > 0) schedule();
    else settled();
  };
  const start = async () => {
    const started = new Worker(new URL("./thread.ts", import.meta.url), { workerData: { file } });
    // Rejects when the thread fails first.
    await once(started, "message");
    told = 0;
    thread = started;
    started.on("message", answer);
    started.on("error", (error: Error) => log.error(`The store's writer thread failed: ${error.message}`));
    started.once("exit", () => void restart());
  };
  /** Whatever was under way may have been written or not; nobody waits for ever for a thread that is gone. */
  const restart = async () => {
    thread = undefined;
    if (closing) return;
    const lost = underWay?.map(() => unavailable("the writer thread ended"));
    try {
      await start();
      answer(lost);
    } catch (error) {
      closing = true;
      underWay = [...(underWay ?? []), ...gathering];
      gathering = [];
      answer(underWay.map(() => unavailable(`the writer thread can't be started: ${(error as Error).message}`)));
    }
  };
  await start();

  return {
    statements,
    write(steps) {
      if (closing) return Promise.resolve(unavailable("the store is closed"));
      return new Promise((answer) => {
        gathering.push({ steps, answer });
        if (underWay === undefined) schedule();
      });
    },
    health: () => (trouble === undefined ? { ok: true } : { ok: false, detail: trouble }),
    async close() {
      closing = true;
      if (underWay !== undefined || gathering.length > 0) await new Promise<void>((done) => (settled = done));
      const last = thread;
      if (last === undefined) return;
      const ended = once(last, "exit");
      last.postMessage("close");
      await ended;
    },
  };
}
