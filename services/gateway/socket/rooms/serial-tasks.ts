/** Runs a room's asynchronous tasks one after the other, in the order they were added. */
import type { Logger } from "moleculer";

export interface SerialTasksContext {
  readonly log: Pick<Logger, "error">;
  /** Called before each task, and again when none is left. It may add tasks. */
  readonly beforeEach: () => void;
  readonly onIdle: () => void;
}
type Task = () => Promise<void>;

export class SerialTasks {
  private readonly context: SerialTasksContext;
  private waiting: Task[] = [];
  private isStarted = false;
  private isRunning = false;

  constructor(context: SerialTasksContext) {
    this.context = context;
  }

  /** Whether a task added now has to wait: others are running, or `start` was not called yet. */
  get isBusy(): boolean {
    return this.isRunning || !this.isStarted;
  }

  get isIdle(): boolean {
    return !this.isRunning && this.waiting.length === 0;
  }

  /** Tasks added before this call wait for it. */
  start(): void {
    this.isStarted = true;
    void this.drain();
  }

  run(task: Task): void {
    this.waiting.push(task);
    void this.drain();
  }

  /** Drops the tasks that have not begun. */
  clear(): void {
    this.waiting = [];
  }

  private async drain(): Promise<void> {
    if (this.isBusy) return;
    this.isRunning = true;
    for (;;) {
      try {
        this.context.beforeEach();
        const task = this.waiting.shift();
        if (task === undefined) break;
        await task();
      } catch (error) {
        this.context.log.error(error); // a failed task must not stop the ones behind it
      }
    }
    this.isRunning = false;
    this.context.onIdle();
  }
}
