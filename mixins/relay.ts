/**
 * Relaying one outbox: entries are claimed by lease, published, removed. Any number of relays work on one outbox; what a dead one
 * had claimed is taken over when the lease ends. An event may so be published twice, under the same id.
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
  /** Store time, epoch milliseconds: before it the entry is someone's, or waits after a failure. */
  readonly leaseUntil: number;
}

export const outbox = collection<OutboxRow>()("outbox", { byLease: { fields: ["leaseUntil"] } });

/** Longer than a publish may take, so that a lease ends only when its relay has. */
const leaseMs = 10_000;
/** After a failed publish, and between looks for what others left. */
const pollMs = 5000;
const batchSize = 50;
/** Entries counted at most. */
const maxCounted = 10_000;

const depth = gauge("parley_outbox_entries", "Durable events of a service that the queue has not got yet, at most 10,000; known to 5 s", [
  "service",
]);
const oldest = gauge("parley_outbox_oldest_seconds", "Age of a service's oldest event that the queue has not got yet; known to 5 s", [
  "service",
]);

export interface RelayContext {
  /** Whose outbox it is, for metrics. */
  readonly service: string;
  readonly db: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Relay {
  /** There is something to publish. */
  readonly wake: () => void;
  /** Waits for the publishing under way. */
  readonly stop: () => Promise<void>;
}

export function startRelay({ service, db, queue, clock, log }: RelayContext): Relay {
  let running: Promise<void> | undefined;
  let isWoken = false;
  let isStopped = false;
  const timer = setInterval(() => {
    wake();
    void measure();
  }, pollMs);
  wake();
  void measure();

  function wake(): void {
    isWoken = !isStopped;
    running ??= outsideRequests(run).finally(() => {
      running = undefined;
      if (isWoken) wake();
    });
  }

  async function run(): Promise<void> {
    try {
      while (isWoken) {
        isWoken = false;
        if (await relayBatch()) isWoken = !isStopped;
      }
    } catch (error) {
      isWoken = false; // The timer wakes it.
      log.warn(`the outbox waits: ${(error as Error).message}`);
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

  /** Keeps these entries from other relays, and from this one, for so long. @returns undefined when another was faster */
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

  /** How much waits, and since when. */
  async function measure(): Promise<void> {
    try {
      const count = await db.count(outbox, { index: "byLease", limit: maxCounted });
      const age = count === 0 ? 0 : await ageOfOldest();
      depth.of().set({ service }, count);
      oldest.of().set({ service }, age);
    } catch {
      // The store is away: the last values stay, and the part says so.
    }
  }

  /** Entries are tried in the order they came: the oldest is the first of those that were, or of those that were not yet. */
  async function ageOfOldest(): Promise<number> {
    const [untried, tried] = await Promise.all([
      db.page(outbox, { index: "byLease", limit: 1 }),
      db.page(outbox, { index: "byLease", after: [0], limit: batchSize }),
    ]);
    const since = Math.min(...[...untried, ...tried].map(({ _id }) => timeOfId(_id)));
    return Number.isFinite(since) ? Math.max(0, Date.now() - since) / 1000 : 0;
  }

  return {
    wake,
    async stop() {
      isStopped = true;
      isWoken = false;
      clearInterval(timer);
      await running;
    },
  };
}
