/**
 * Defaults for timeouts, retries and concurrency of calls between services. A contract can override them per action; Moleculer's
 * middlewares apply them.
 */
import type { CallPolicy } from "./contract.ts";

export const defaultCallPolicy = {
  timeoutMs: 5000,
  retries: 0,
  bulkhead: { concurrency: 200, maxQueueSize: 2000 },
} as const satisfies Required<CallPolicy>;

/** Shortest and longest delay between a caller's retries, milliseconds. */
export const callRetryDelayMs = { first: 100, longest: 1000 } as const;

/** The circuit breaker of a node's action opens when half of at least 20 calls within 30 s failed. It lets a call through after 5 s. */
export const circuitBreakerDefaults = { threshold: 0.5, minRequestCount: 20, windowSeconds: 30, halfOpenMs: 5000 } as const;
