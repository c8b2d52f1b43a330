/** Notes how long a service's commits take, and why some do not happen. */
import type { ServiceBroker } from "moleculer";
import { codeOf } from "../core/errors.ts";
import { counter, histogram } from "../core/metrics/declare.ts";
import { Duplicate, type Database } from "../core/store/store.ts";

const commitSeconds = histogram("parley_commit_seconds", "Commits to the store by the time they took, refused ones too", {
  labels: ["service"],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});
const commitsFailed = counter(
  "parley_commits_failed_total",
  "Commits that did not happen: conflict (someone else wrote first, and the change is judged again), duplicate, or unavailable",
  ["service", "reason"],
);

/** The same database with its commits measured. */
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
