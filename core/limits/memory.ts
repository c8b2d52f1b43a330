/** Counts limits in this process's memory, and offers a `Limits` without limits. */
import { RateLimiterMemory } from "rate-limiter-flexible";
import { counters } from "./counters.ts";
import type { Limits } from "./limits.ts";

export const openMemoryLimits = (): Limits => ({
  consume: counters("", (options) => new RateLimiterMemory(options)),
  health: () => ({ ok: true }),
  close: () => Promise.resolve(),
});

/** Never refuses; for load tests. */
export const unlimited: Limits = {
  consume: () => Promise.resolve({ ok: true }),
  health: () => ({ ok: true }),
  close: () => Promise.resolve(),
};
