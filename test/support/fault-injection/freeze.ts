/** Freezes processes with SIGSTOP, and checks in /proc that all their threads have stopped. */
import { readdirSync, readFileSync } from "node:fs";
import { platform } from "node:process";

interface Child {
  readonly pid?: number | undefined;
}

export const isFrozen = ({ pid }: Child): boolean =>
  readdirSync(`/proc/${pid}/task`).every((thread) => {
    try {
      return /\) T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8"));
    } catch {
      return true; // This thread has just ended.
    }
  });

/** Freezes a process, and returns when all its threads have stopped. A thread on another core runs on until the signal reaches it. */
export function freeze(child: Child): void {
  process.kill(child.pid!, "SIGSTOP");
  const deadline = performance.now() + 5000;
  while (platform === "linux" && !isFrozen(child)) {
    if (performance.now() > deadline) throw new Error(`process ${child.pid} is not frozen by SIGSTOP`);
  }
}
