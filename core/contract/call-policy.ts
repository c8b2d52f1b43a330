/**
 * The policy table's defaults: how a call behaves when things go wrong. A contract overrides a line per action; Moleculer's own
 * middlewares carry it out.
 */
import type { CallPolicy } from "./contract.ts";

export const defaultCallPolicy = {
  timeoutMs: 5000,
  retries: 0,
  bulkhead: { concurrency: 200, maxQueueSize: 2000 },
} as const satisfies Required<CallPolicy>;

/** First and longest pause between a caller's retries, milliseconds. */
export const callRetryDelayMs = { first: 100, longest: 1000 } as const;

/** A node's action is avoided once half of at least 20 calls in 30 s failed, and tried again after 5 s. */
export const circuitBreakerDefaults = { threshold: 0.5, minRequestCount: 20, windowSeconds: 30, halfOpenMs: 5000 } as const;
