/**
 * A circuit breaker for a dependency of this process, so that calls cost nothing while the dependency is unavailable. Moleculer has one for
 * calls between services; this one is used around Redis.
 */
import { withTimeout } from "./timeout.ts";
import { outsideRequests } from "../request-context.ts";

export type BreakerState = "closed" | "open" | "half-open";

export interface Breaker {
  /**
   * Makes the call if the breaker is closed, and waits for it at most `timeoutMs`.
   * @throws Error  the breaker is not closed (thrown immediately), the call timed out, or the call's own error
   */
  run<T>(call: () => Promise<T>): Promise<T>;
  state(): BreakerState;
  /** Stops probing. */
  stop(): void;
}

export interface BreakerOptions {
  /** How long a call may take. A single call that takes longer opens the breaker, so that no other caller waits as long. */
  readonly timeoutMs: number;
  /** This many other consecutive failures open the breaker. */
  readonly failures: number;
  /** Milliseconds that the breaker stays open before it becomes half-open and probes. */
  readonly halfOpenMs: number;
  /** A harmless call with its own timeout. If it succeeds, the breaker closes, otherwise it opens again. */
  readonly probe: () => Promise<unknown>;
  /** Called synchronously with each change of state. */
  readonly onChange: (now: BreakerState, before: BreakerState) => void;
}

class CallTimeoutError extends Error {}

export function circuitBreaker({ timeoutMs, failures, halfOpenMs, probe, onChange }: BreakerOptions): Breaker {
  let state: BreakerState = "closed";
  let failedInARow = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const changeState = (next: BreakerState): void => {
    const before = state;
    state = next;
    onChange(next, before);
  };
  const open = (): void => {
    changeState("open");
    if (!stopped) timer = outsideRequests(() => setTimeout(() => void halfOpen(), halfOpenMs).unref());
  };
  const halfOpen = async (): Promise<void> => {
    changeState("half-open");
    try {
      await probe();
      failedInARow = 0;
      changeState("closed");
    } catch {
      open();
    }
  };
  const recordFailure = (error: unknown): void => {
    failedInARow += 1;
    if (state === "closed" && (error instanceof CallTimeoutError || failedInARow >= failures)) open();
  };

  return {
    async run(call) {
      if (state !== "closed") throw new Error("the circuit breaker is open");
      try {
        const answer = await withTimeout(call(), timeoutMs, () => new CallTimeoutError(`no answer within ${timeoutMs} ms`));
        failedInARow = 0;
        return answer;
      } catch (error) {
        recordFailure(error);
        throw error;
      }
    },
    state: () => state,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
