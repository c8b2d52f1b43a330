/**
 * The main thread's end of the writer: commits gather while a group is being written, then go together as the next one. So the
 * cost of a durable write is shared by all who wait for it, and threads exchange two messages a group.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Logger } from "moleculer";
import { Unavailable } from "../../errors.ts";
import type { Failure, Group, Outcome } from "./messages.ts";
import { statementCache, type Statements, type Step } from "./statements.ts";

export interface Writer {
  readonly statements: Statements;
  /** Resolves once the commit is durable and visible, or has failed. */
  write(steps: readonly Step[]): Promise<Failure | undefined>;
  health(): { ok: boolean; detail?: string };
  close(): Promise<void>;
}

interface Waiting {
  readonly steps: readonly Step[];
  readonly answer: (failure: Failure | undefined) => void;
}

export async function startWriter(file: string, log: Logger): Promise<Writer> {
  const statements = statementCache();
  let thread = await startThread(file);
  /** How many of the statements the thread knows. */
  let told = 0;
  let gathering: Waiting[] = [];
  let underWay: Waiting[] | undefined;
  let scheduled = false;
  let broken: string | undefined;
  let closing = false;
  let idle: () => void = () => undefined;

  const send = () => {
    scheduled = false;
    if (underWay !== undefined || gathering.length === 0) return;
    underWay = gathering;
    gathering = [];
    const group: Group = { statements: statements.list.slice(told), commits: underWay.map(({ steps }) => steps) };
    told = statements.list.length;
    thread.postMessage(group);
  };
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    // After this tick's other callbacks: whoever they let commit joins the group.
    setImmediate(send);
  };
  const answerAll = (outcome: (place: number) => Failure | undefined) => {
    const answered = underWay ?? [];
    underWay = undefined;
    for (const [place, { answer }] of answered.entries()) answer(outcome(place));
    if (gathering.length > 0) schedule();
    else idle();
  };
  const attend = () => {
    told = 0;
    thread.on("message", (outcome: Outcome) => {
      broken = outcome?.find((failure) => failure?.kind === "unavailable")?.detail;
      if (broken !== undefined) log.error(`the store can't write: ${broken}`);
      answerAll((place) => outcome?.[place]);
    });
    thread.on("error", (error) => log.error("the store's writer thread failed", error));
    thread.on("exit", () => {
      if (closing) return;
      broken = "the writer thread ended";
      void restart();
    });
  };
  const restart = async () => {
    try {
      const started = await startThread(file);
      thread = started;
      attend();
      broken = undefined;
    } catch (error) {
      log.error("the store's writer thread can't be started again", error);
      closing = true;
    }
    answerAll(() => ({ kind: "unavailable", detail: "the writer thread ended" }));
  };
  attend();

  return {
    statements,
    write: (steps) =>
      closing
        ? Promise.reject(new Unavailable("The store is closed"))
        : new Promise((answer) => {
            gathering.push({ steps, answer });
            if (underWay === undefined) schedule();
          }),
    health: () => (broken === undefined ? { ok: true } : { ok: false, detail: broken }),
    async close() {
      closing = true;
      if (underWay !== undefined || gathering.length > 0) await new Promise<void>((done) => (idle = done));
      const ended = new Promise((done) => thread.once("exit", done));
      thread.postMessage("close");
      await ended;
    },
  };
}

async function startThread(file: string): Promise<Worker> {
  const thread = new Worker(new URL("./thread.ts", import.meta.url), { workerData: { file }, execArgv: [] });
  // Rejects when the thread fails first.
  await once(thread, "message");
  return thread;
}
