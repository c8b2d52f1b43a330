/** Measures how long a service's commits take, and counts failed ones by reason. */
import type { ServiceBroker } from "moleculer";
import { codeOf } from "../core/errors.ts";
import { counter, histogram } from "../core/metrics/declare.ts";
import { Duplicate, type Database } from "../core/store/store.ts";

const commitSeconds = histogram("parley_commit_seconds", "Duration of commits to the store, including refused ones", {
  labels: ["service"],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});
const commitsFailed = counter(
  "parley_commits_failed_total",
  "Failed commits, by reason: conflict (another commit came first, and the change is decided again), duplicate, unavailable or error",
  ["service", "reason"],
);

/** Wraps a database to measure its commits. */
export function withCommitMetrics(db: Database, broker: ServiceBroker, service: string): Database {
  const seconds = commitSeconds.of(broker).labels({ service });
  const failed = commitsFailed.of(broker);
  for (const reason of ["conflict", "duplicate", "unavailable", "error"]) failed.inc({ service, reason }, 0);
  return {
    ...db,
    async commit(operations) {
      const startedAt = performance.now();
      try {
        return await db.commit(operations);
      } catch (error) {
        const reason = error instanceof Duplicate ? "duplicate" : (codeOf(error)?.toLowerCase() ?? "error");
        failed.inc({ service, reason });
        throw error;
      } finally {
        seconds.observe((performance.now() - startedAt) / 1000);
      }
    },
  };
}
