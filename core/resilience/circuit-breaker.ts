/**
 * A circuit breaker for a dependency that is called from this process, so that one which is away costs nothing per call. Calls
 * between services have Moleculer's; this is the same idea around Redis.
 */
import { withTimeout } from "./timeout.ts";
import { outsideRequests } from "../request-context.ts";

export type BreakerState = "closed" | "open" | "half-open";

export interface Breaker {
  /**
   * Makes the call and waits for it, at most `timeoutMs`; makes none unless the breaker is closed.
   * @throws Error  the breaker is not closed (at once), no answer in time, or what the call itself throws
   */
  run<T>(call: () => Promise<T>): Promise<T>;
  state(): BreakerState;
  /** Ends the probing. */
  stop(): void;
}

export interface BreakerOptions {
  /** How long a call may take. One that takes longer opens the breaker alone: its caller has waited enough for all. */
  readonly timeoutMs: number;
  /** So many other failures in a row open it. */
  readonly failures: number;
  /** How long it stays open until it is half open and probes, milliseconds. */
  readonly halfOpenMs: number;
  /** One harmless call, bounded by itself. If it succeeds the breaker closes, else it opens again. */
  readonly probe: () => Promise<unknown>;
  /** Hears each change, in the moment of the change. */
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
