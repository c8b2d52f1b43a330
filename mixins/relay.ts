/**
 * Publishes the entries of an outbox: claims them by a lease, publishes them and removes them. Several relays can work on one outbox. When
 * a relay dies, others take over its entries after the lease ends, so an event may be published twice, with the same id.
 */
import type { Logger } from "moleculer";
import type { Clock } from "../core/clock.ts";
import { codeOf } from "../core/errors.ts";
import { faultPoint } from "../core/fault-points.ts";
import { timeOfId } from "../core/ids.ts";
import { gauge } from "../core/metrics/declare.ts";
import type { Queue } from "../core/queue/queue.ts";
import { outsideRequests, type Origin } from "../core/request-context.ts";
import { collection, remove, update, type Database, type Doc } from "../core/store/store.ts";

export interface OutboxRow extends Doc {
  readonly topic: string;
  readonly key: string;
  readonly rev: number;
  readonly payload: unknown;
  readonly origin?: Origin;
  /** Store time, epoch milliseconds. Until then the entry is claimed by a relay, or waits after a failure. */
  readonly leaseUntil: number;
}

export const outbox = collection<OutboxRow>()("outbox", { byLease: { fields: ["leaseUntil"] } });

/** Longer than a publish can take, so that a lease ends only if its relay died. */
const leaseMs = 10_000;
/** The delay after a failed publish, and the interval of polling for entries that other relays left. */
const pollMs = 5000;
const batchSize = 50;
/** The metric counts no further than this. */
const maxCounted = 10_000;

const depth = gauge(
  "parley_outbox_entries",
  "Durable events of a service not yet published to the queue, at most 10,000; updated every 5 s",
  ["service"],
);
const oldest = gauge("parley_outbox_oldest_seconds", "Age of a service's oldest event not yet published to the queue; updated every 5 s", [
  "service",
]);

export interface RelayContext {
  /** The outbox's service, for metrics. */
  readonly service: string;
  readonly db: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Relay {
  /** Call it when there is something to publish. */
  readonly notify: () => void;
  /** Stops, and waits for publishes in progress. */
  readonly stop: () => Promise<void>;
}

export function startRelay({ service, db, queue, clock, log }: RelayContext): Relay {
  let running: Promise<void> | undefined;
  let isRequested = false;
  let isStopped = false;
  const timer = setInterval(() => {
    notify();
    void measure();
  }, pollMs);
  notify();
  void measure();

  function notify(): void {
    isRequested = !isStopped;
    running ??= outsideRequests(run).finally(() => {
      running = undefined;
      if (isRequested) notify();
    });
  }

  async function run(): Promise<void> {
    try {
      while (isRequested) {
        isRequested = false;
        if (await relayBatch()) isRequested = !isStopped;
      }
    } catch (error) {
      isRequested = false; // The timer starts it again.
      log.warn(`The outbox can't be relayed, trying again: ${(error as Error).message}`);
    }
  }

  /** @returns whether there may be more to publish now */
  async function relayBatch(): Promise<boolean> {
    const free = await db.page(outbox, { index: "byLease", before: [clock.now()], limit: batchSize });
    if (free.length === 0) return false;
    const claimed = await lease(free, leaseMs);
    if (claimed === undefined) return true;
    faultPoint("outbox.publish");
    const outcomes = await Promise.allSettled(
      claimed.map(({ _id, topic, key, rev, payload, origin }) =>
        queue.publish({ id: _id, topic, key, rev, payload, ...(origin === undefined ? {} : { origin }) }),
      ),
    );
    const published = claimed.filter((_, index) => outcomes[index]!.status === "fulfilled");
    if (published.length > 0) await db.commit(published.map(({ _id }) => remove(outbox, { _id })));
    const refusal = outcomes.find((outcome) => outcome.status === "rejected");
    if (refusal !== undefined) {
      log.warn(`${claimed.length - published.length} events wait in the outbox: ${(refusal.reason as Error).message}`);
      await lease(
        claimed.filter((row) => !published.includes(row)),
        pollMs,
      );
    }
    return published.length > 0;
  }

  /** Claims these entries: until the lease ends, no relay publishes them. @returns undefined if another relay was faster */
  async function lease(entries: readonly OutboxRow[], ms: number): Promise<OutboxRow[] | undefined> {
    const until = clock.now() + ms;
    try {
      await db.commit(entries.map(({ _id, leaseUntil }) => update(outbox, { _id, leaseUntil }, { leaseUntil: until })));
      return entries.map((entry) => ({ ...entry, leaseUntil: until }));
    } catch (error) {
      if (codeOf(error) === "CONFLICT") return undefined;
      throw error;
    }
  }

  /** Updates the metrics. */
  async function measure(): Promise<void> {
    try {
      const count = await db.count(outbox, { index: "byLease", limit: maxCounted });
      const age = count === 0 ? 0 : await ageOfOldest();
      depth.of().set({ service }, count);
      oldest.of().set({ service }, age);
    } catch {
      // The store is unavailable, which its own metrics show; the last values stay.
    }
  }

  /** Entries are tried in the order of their creation, so the oldest is the first of those already tried or of those not yet tried. */
  async function ageOfOldest(): Promise<number> {
    const [untried, tried] = await Promise.all([
      db.page(outbox, { index: "byLease", limit: 1 }),
      db.page(outbox, { index: "byLease", after: [0], limit: batchSize }),
    ]);
    const since = Math.min(...[...untried, ...tried].map(({ _id }) => timeOfId(_id)));
    return Number.isFinite(since) ? Math.max(0, Date.now() - since) / 1000 : 0;
  }

  return {
    notify,
    async stop() {
      isStopped = true;
      isRequested = false;
      clearInterval(timer);
      await running;
    },
  };
}
