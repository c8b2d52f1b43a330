/** Delivers one group's due rows of the embedded queue, a few at a time, and stores the outcomes. */
import type { Logger } from "moleculer";
import type { Clock } from "../clock.ts";
import { newId } from "../ids.ts";
import { inOrigin, outsideRequests } from "../request-context.ts";
import { collection, remove, update, upsert, type Database, type Doc } from "../store/store.ts";
import { neverAnswered, retryDelayMs, type DurableEvent, type RetryPolicy } from "./queue.ts";

/** An event that is waiting for one group or being handled by it. */
export interface QueueRow extends Doc {
  readonly eventId: string;
  readonly group: string;
  readonly event: DurableEvent;
  /** Epoch milliseconds. */
  readonly dueAt: number;
  /** Number of deliveries. Counted before each one, so that an event that crashes the process every time becomes a dead letter too. */
  readonly attempts: number;
}
export const queueRows = collection<QueueRow>()("rows", {
  byEventAndGroup: { fields: ["eventId", "group"], unique: true },
  byGroupAndDue: { fields: ["group", "dueAt"] },
});

export interface DeadLetterRow extends Doc {
  readonly eventId: string;
  readonly group: string;
  readonly event: DurableEvent;
  readonly attempts: number;
  readonly reason: string;
  readonly diedAt: number;
}
export const deadLetters = collection<DeadLetterRow>()("dead", {
  byGroupAndEvent: { fields: ["group", "eventId"], unique: true },
  byGroupAndTime: { fields: ["group", "diedAt"] },
});

/** Delay before the next read after the store failed. */
const retryAfterErrorMs = 1000;

export interface DispatcherContext {
  readonly db: Database;
  readonly group: string;
  readonly onEvent: (event: DurableEvent) => Promise<void>;
  readonly concurrency: number;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Dispatcher {
  /** Checks for due rows. */
  readonly dispatch: () => void;
  /** Stops deliveries and waits for the handlers in flight. */
  readonly stop: () => Promise<void>;
}

export function dispatcher({ db, group, onEvent, concurrency, retry, clock, log }: DispatcherContext): Dispatcher {
  const inFlight = new Map<string, Promise<void>>();
  let polling: Promise<void> | undefined;
  let pollAgain = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  function dispatch(): void {
    pollAgain = true;
    polling ??= outsideRequests(poll).finally(() => {
      polling = undefined;
      if (pollAgain) dispatch();
    });
  }

  async function poll(): Promise<void> {
    pollAgain = false;
    clearTimeout(timer);
    if (stopped || inFlight.size >= concurrency) return; // Each finished delivery polls again.
    try {
      // Rows in flight come first in the index: read past them.
      const first = await db.page(queueRows, { index: "byGroupAndDue", where: { group }, limit: inFlight.size + concurrency });
      const free = first.filter(({ _id }) => !inFlight.has(_id));
      const due = free.filter(({ dueAt }) => dueAt <= clock.now()).slice(0, concurrency - inFlight.size);
      await deliverDue(due);
      const next = free[due.length];
      if (next !== undefined) wakeIn(next.dueAt - clock.now());
    } catch (error) {
      log.error(`The queue of ${group} can't be read`, error);
      wakeIn(retryAfterErrorMs);
    }
  }

  function wakeIn(ms: number): void {
    if (!stopped) timer = setTimeout(dispatch, Math.max(ms, 0));
  }

  async function deliverDue(due: readonly QueueRow[]): Promise<void> {
    if (due.length === 0 || stopped) return;
    await db.commit(due.map(({ _id, attempts }) => update(queueRows, { _id }, { attempts: attempts + 1 })));
    for (const row of due) {
      const done = inOrigin(row.event.origin, () => deliver({ ...row, attempts: row.attempts + 1 })).finally(() => {
        inFlight.delete(row._id);
        dispatch();
      });
      inFlight.set(row._id, done);
    }
  }

  async function deliver(row: QueueRow): Promise<void> {
    try {
      const failure = row.attempts > retry.attempts ? neverAnswered : await failureOf(row.event);
      await recordOutcome(row, failure);
    } catch (error) {
      log.error(`The outcome of an event for ${group} could not be stored; the event will be delivered again`, error);
    }
  }

  /** Runs the handler. @returns why it failed; undefined on success */
  async function failureOf(event: DurableEvent): Promise<string | undefined> {
    try {
      await onEvent(event);
      return undefined;
    } catch (error) {
      return (error instanceof Error ? error.message : String(error)).slice(0, 500);
    }
  }

  async function recordOutcome(row: QueueRow, reason: string | undefined): Promise<void> {
    const { _id, eventId, event, attempts } = row;
    if (reason === undefined) {
      await db.commit([remove(queueRows, { _id })]);
      return;
    }
    log.warn(`event ${event.topic} failed for ${group}, attempt ${attempts} of ${retry.attempts}: ${reason}`);
    const diedAt = clock.now();
    if (attempts < retry.attempts) await db.commit([update(queueRows, { _id }, { dueAt: diedAt + retryDelayMs(retry, attempts) })]);
    else
      await db.commit([
        remove(queueRows, { _id }),
        upsert(deadLetters, { group, eventId }, { event, attempts, reason, diedAt }, { _id: newId() }),
      ]);
  }

  return {
    dispatch,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await polling;
      await Promise.all(inFlight.values());
    },
  };
}
