/** Exposes metrics of the whole installation: durable queues, dead letters and the last backup. */
import { Unavailable } from "../../core/errors.ts";
import { withTimeout } from "../../core/resilience/timeout.ts";
import { gauge } from "../../core/metrics/declare.ts";
import type { ServiceResources } from "../../mixins/context.ts";

const waiting = gauge(
  "parley_queue_waiting_events",
  "Durable events waiting for a consumer group; on a mesh, without those waiting for a retry",
  ["group"],
);
const dead = gauge("parley_dead_letters", "Durable events that a consumer group gave up on after repeated failures", ["group"]);
const lastBackup = gauge("parley_backup_last_success_timestamp_seconds", "When the last backup completed; 0 if there was none");

/** Maximum time that a scrape waits for a store or broker that is down. */
const scrapeTimeoutMs = 2000;

type MetricsContext = Pick<ServiceResources, "broker" | "queue" | "installation">;

export function exposeInstallationMetrics({ broker, queue, installation }: MetricsContext): void {
  const inScrapeTime = <T>(answer: Promise<T>) => withTimeout(answer, scrapeTimeoutMs, () => new Unavailable());
  // Both metrics of a scrape share one read.
  let pendingDepths: Promise<Awaited<ReturnType<typeof queue.depths>>> | undefined;
  const depths = () => (pendingDepths ??= inScrapeTime(queue.depths()).finally(() => (pendingDepths = undefined)));

  waiting.collect(broker, async () => (await depths()).map(({ group, waiting: count }) => [{ group }, count] as const));
  dead.collect(broker, async () => (await depths()).map(({ group, dead: count }) => [{ group }, count] as const));
  lastBackup.collect(broker, async () => [[{}, ((await inScrapeTime(installation.read())).lastBackupAt ?? 0) / 1000]]);
}
