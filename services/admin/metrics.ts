/** What the operator's service says of the whole installation at each scrape: durable queues, dead letters, the last backup. */
import type { ServiceBroker } from "moleculer";
import { Unavailable } from "../../core/errors.ts";
import { withTimeout } from "../../core/resilience/timeout.ts";
import { gauge } from "../../core/metrics/declare.ts";
import { portsOf } from "../../core/node/ports.ts";

const waiting = gauge(
  "parley_queue_waiting_events",
  "Durable events that wait for a group that follows them; on a mesh without those that wait for their next attempt",
  ["group"],
);
const dead = gauge("parley_dead_letters", "Durable events that a group's handler failed at too often", ["group"]);
const lastBackup = gauge("parley_backup_last_success_timestamp_seconds", "When the last backup was whole; 0 if there was none");

/** A scrape waits no longer for a store or broker that is away. */
const scrapeTimeoutMs = 2000;

export function exposeInstallationMetrics(broker: ServiceBroker): void {
  const { queue, installation } = portsOf(broker);
  const inScrapeTime = <T>(answer: Promise<T>) => withTimeout(answer, scrapeTimeoutMs, () => new Unavailable());
  /** One question for both metrics of a scrape. */
  let pendingDepths: Promise<Awaited<ReturnType<typeof queue.depths>>> | undefined;
  const depths = () => (pendingDepths ??= inScrapeTime(queue.depths()).finally(() => (pendingDepths = undefined)));

  waiting.collect(broker, async () => (await depths()).map(({ group, waiting: count }) => [{ group }, count] as const));
  dead.collect(broker, async () => (await depths()).map(({ group, dead: count }) => [{ group }, count] as const));
  lastBackup.collect(broker, async () => [[{}, ((await inScrapeTime(installation.read())).lastBackupAt ?? 0) / 1000]]);
}
