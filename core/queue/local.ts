/**
 * Queues an embedded server's events in the store's database `queue`, one row per event and group. The row is removed when the group's
 * handler succeeds. Nothing polls at an interval: rows are delivered on start, after a publish, and when the next row is due.
 */
import type { Logger } from "moleculer";
import type { Clock } from "../clock.ts";
import { NotFound, Unavailable } from "../errors.ts";
import { newId } from "../ids.ts";
import { remove, upsert, type Database, type Store } from "../store/store.ts";
import { deadLetters, dispatcher, queueRows, type Dispatcher, type QueueRow } from "./local-dispatcher.ts";
import type { DeadLetter, DurableEvent, ConsumerGroups, Queue, RetryPolicy } from "./queue.ts";

export interface LocalQueueOptions {
  readonly store: Store;
  readonly groups: ConsumerGroups;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly log: Logger;
}

const maxReplayed = 10_000;
/** Upper limit of the counts that `depths` returns for each group. */
const maxCounted = 10_000;
/** Dead letters that one commit replays. */
const replayBatch = 200;

export async function openLocalQueue({ store, groups, retry, clock, log }: LocalQueueOptions): Promise<Queue> {
  const db = await store.open("queue", [queueRows, deadLetters]);
  const dispatchers = new Map<string, Dispatcher>();
  let closed = false;

  function requireGroup(group: string): string {
    if (!Object.hasOwn(groups, group)) throw new NotFound(`There is no consumer group ${group}`);
    return group;
  }

  return {
    async publish(event) {
      if (closed) throw new Unavailable("the queue is closed");
      const followers = Object.keys(groups).filter((group) => groups[group]!.includes(event.topic));
      if (followers.length === 0) throw new Unavailable(`nobody follows ${event.topic}`);
      await db.commit(followers.map((group) => queuedEvent(event, group, clock.now())));
      for (const group of followers) dispatchers.get(group)?.dispatch();
    },
    consume(group, onEvent, { concurrency = 10 } = {}) {
      if (dispatchers.has(requireGroup(group))) throw new Error(`${group} is consumed already`);
      const started = dispatcher({ db, group, onEvent, concurrency, retry, clock, log });
      dispatchers.set(group, started);
      started.dispatch();
      return Promise.resolve();
    },
    async deadLetters(group, limit) {
      const letters = await db.page(deadLetters, { index: "byGroupAndTime", where: { group: requireGroup(group) }, order: "desc", limit });
      return letters.map(({ event, attempts, reason, diedAt }) => ({ event, group, attempts, reason, diedAt }) satisfies DeadLetter);
    },
    async replay(group, eventId) {
      const replayed = await replayDead(db, requireGroup(group), eventId, clock.now());
      dispatchers.get(group)?.dispatch();
      return replayed;
    },
    depths: () =>
      Promise.all(
        Object.keys(groups).map(async (group) => ({
          group,
          waiting: await db.count(queueRows, { index: "byGroupAndDue", where: { group }, limit: maxCounted }),
          dead: await db.count(deadLetters, { index: "byGroupAndTime", where: { group }, limit: maxCounted }),
        })),
      ),
    health: () => ({ ok: true }),
    async close() {
      closed = true;
      await Promise.all([...dispatchers.values()].map((each) => each.stop()));
    },
  };
}

/** The row of an event for one group. An existing row stays unchanged. */
const queuedEvent = (event: DurableEvent, group: string, dueAt: number) =>
  upsert<QueueRow>(queueRows, { eventId: event.id, group }, {}, { _id: newId(), event, dueAt, attempts: 0 });

/** Returns dead letters to their group's queue: the event with this id, or all (at most 10,000 per call). */
async function replayDead(db: Database, group: string, eventId: string | undefined, now: number): Promise<number> {
  const letters =
    eventId === undefined
      ? await db.page(deadLetters, { index: "byGroupAndTime", where: { group }, limit: maxReplayed })
      : await db.find(deadLetters, [{ group, eventId }]);
  for (let from = 0; from < letters.length; from += replayBatch) {
    const batch = letters.slice(from, from + replayBatch);
    await db.commit(batch.flatMap(({ _id, event }) => [remove(deadLetters, { _id }), queuedEvent(event, group, now)]));
  }
  return letters.length;
}
