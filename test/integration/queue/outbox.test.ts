/** Tests the way from one service's commit to another's handler: outbox, relay and follower, on the embedded store and queue. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { followClock, type Clock } from "../../../core/clock.ts";
import type { EventRef } from "../../../core/contract/contract.ts";
import { newId } from "../../../core/ids.ts";
import { processRegistry } from "../../../core/metrics/declare.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { openLocalQueue } from "../../../core/queue/local.ts";
import type { DurableEvent, Queue } from "../../../core/queue/queue.ts";
import { openSqliteStore } from "../../../core/store/sqlite/store.ts";
import { insert, update, type Database, type Store } from "../../../core/store/store.ts";
import { context } from "../../../mixins/context.ts";
import { follow, followings, type ReceivedEvent } from "../../../mixins/follower.ts";
import { announce, outbox } from "../../../mixins/outbox.ts";
import { startRelay, type OutboxRow, type Relay } from "../../../mixins/relay.ts";
import { eventually } from "../../support/eventually.ts";
import {
  commitChange,
  commitFailingChange,
  databaseOf,
  groups,
  outboxService,
  startBroker,
  thingEvents,
  things,
} from "../../support/ports/outbox-service.ts";
import { quietLogger } from "../../support/ports/queues.ts";

let folder: string;
const cleanUps: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-outbox-"));
  cleanUps.push(() => rm(folder, { recursive: true }));
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(...services: readonly ServiceSchema[]): Promise<ServiceBroker> {
  const broker = await startBroker(folder, ...services);
  cleanUps.push(() => broker.stop());
  return broker;
}
/** Fewer topics than the queue has for this group, as if a newer release followed one more. */
const { shelf: shelfFollows } = followings({ shelf: [thingEvents.changed] });

/** A service that follows things, and the events that it received. */
function shelf(): { service: ServiceSchema; received: ReceivedEvent<{ id: string }>[] } {
  const received: ReceivedEvent<{ id: string }>[] = [];
  const receive = (_context: object, event: ReceivedEvent<{ id: string }>) => Promise.resolve(void received.push(event));
  return { service: { name: "shelf", mixins: [follow(shelfFollows, { "thing.changed": receive })] }, received };
}
/** Less than the relay's polling interval of 5 s. */
const soonMs = 4500;
const waiting = (db: Database): Promise<OutboxRow[]> => db.page(outbox, { index: "byLease", limit: 1000 });

describe("A service with an outbox", () => {
  test("an announced event reaches its follower soon after the commit, and leaves the outbox", async () => {
    const { service, received } = shelf();
    const broker = await start(outboxService(), service);
    const id = newId();
    await commitChange(broker, id);
    await eventually("the event is received", () => received.length === 1, soonMs);
    expect(received).toEqual([{ id: expect.any(String), topic: "thing.changed", key: id, rev: 1, payload: { id } }]);
    await eventually("the outbox is empty", async () => (await waiting(databaseOf(broker))).length === 0);
  });

  test("a commit that fails announces nothing", async () => {
    const { service, received } = shelf();
    const broker = await start(outboxService(), service);
    await expect(commitFailingChange(broker, newId())).rejects.toEqual(expect.objectContaining({ type: "CONFLICT" }));
    const id = newId();
    await commitChange(broker, id);
    await eventually("the next event is received", () => received.length > 0);
    expect(received.map(({ key }) => key)).toEqual([id]);
  });

  test("a process killed between commit and publish loses nothing", async () => {
    const id = newId();
    const program = fileURLToPath(new URL("../../support/ports/outbox-process.ts", import.meta.url));
    const child = spawn(process.execPath, [program, folder, "outbox.publish=kill", id], { stdio: "ignore" });
    const [, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    expect(signal).toBe("SIGKILL");

    // Check before another relay runs: the killed relay's lease may be over by the time the next one has started.
    const store = await openSqliteStore(folder, { log: quietLogger });
    const db = await store.open("thing", [things, outbox]);
    expect(await db.get(things, id)).toEqual({ _id: id, rev: 1 });
    expect(await waiting(db)).toHaveLength(1);
    await store.close();

    const { service, received } = shelf();
    await start(outboxService(), service);
    await eventually("the event is received once the killed relay's lease has ended", () => received.length === 1, 60_000);
    expect(received[0]!.key).toBe(id);
  });
});

describe("A follower", () => {
  const publish = (broker: ServiceBroker, topic: string): Promise<void> =>
    portsOf(broker).queue.publish({ id: newId(), topic, key: newId(), rev: 1, payload: { id: "" } });

  test("handles events only after its service has started, with the service's context", async () => {
    const handledWith: unknown[] = [];
    function handle(given: { name: string }) {
      handledWith.push(given);
      return Promise.resolve();
    }
    const slow: ServiceSchema = {
      name: "slow",
      mixins: [context(() => ({ name: "of slow" })), follow(shelfFollows, { "thing.changed": handle })],
      async started() {
        await publish(this.broker, thingEvents.changed.topic);
        await pause(200);
        expect(handledWith).toEqual([]);
      },
    };
    await start(slow);
    await eventually("it is handled", () => handledWith.length === 1);
    expect(handledWith).toEqual([{ name: "of slow" }]);
  });

  test("an event that its service has no handler for becomes a dead letter, not a loss", async () => {
    const broker = await start(shelf().service);
    await publish(broker, thingEvents.ignored.topic);
    const letters = await eventually("it is dead", async () => {
      const found = await portsOf(broker).queue.deadLetters("shelf", 10);
      return found.length > 0 && found;
    });
    expect(letters).toEqual([expect.objectContaining({ attempts: 3, reason: "shelf has no handler for thing.ignored" })]);
  });
});

describe("Relays of one outbox", () => {
  const retry = { firstDelayMs: 20, attempts: 3 };
  let store: Store;
  let db: Database;
  let queue: Queue;
  let clock: Clock;
  const published: DurableEvent[] = [];
  /** A clock that stands still, for a relay. */
  const stoppedAt = (time: number): Clock => ({ ...clock, now: () => time });

  beforeEach(async () => {
    published.length = 0;
    store = await openSqliteStore(folder, { log: quietLogger });
    clock = await followClock(() => store.time());
    db = await store.open("thing", [outbox]);
    queue = await openLocalQueue({ store, groups, retry, clock, log: quietLogger });
    await queue.consume("shelf", (event) => Promise.resolve(void published.push(event)));
    cleanUps.push(async () => {
      clock.stop();
      await queue.close();
      await store.close();
    });
  });

  function relaying(parts: { queue?: Queue; clock?: Clock } = {}): Relay {
    const relay = startRelay({ service: "test", db, queue, clock, log: quietLogger, ...parts });
    cleanUps.push(() => relay.stop());
    return relay;
  }
  async function announceMany(count: number, ref: EventRef = thingEvents.changed): Promise<void> {
    const operations = Array.from({ length: count }, (_, rev) => announce(ref, { key: newId(), rev, payload: { id: "" } }));
    await db.commit(operations);
  }
  const revs = (): number[] => published.map(({ rev }) => rev).sort((a, b) => a - b);

  test("two relays of one outbox don't block each other: every event is published, and none waits for a lease", async () => {
    await announceMany(500);
    // With this clock no lease ever ends.
    const still = stoppedAt(clock.now());
    relaying({ clock: still });
    relaying({ clock: still });
    await eventually("all are handled", () => published.length >= 500, 60_000);
    expect(revs()).toEqual(Array.from({ length: 500 }, (_, rev) => rev));
    expect(await waiting(db)).toEqual([]);
  });

  test("another relay publishes a dead relay's entry, with the same id, when the lease has ended and not before", async () => {
    await announceMany(1);
    const { _id } = (await waiting(db))[0]!;
    const now = clock.now();
    await db.commit([update(outbox, { _id }, { leaseUntil: now + 10_000 })]);
    const early = relaying({ clock: stoppedAt(now + 9000) });
    await early.stop();
    expect(published).toEqual([]);
    relaying({ clock: stoppedAt(now + 11_000) });
    await eventually("it is handled", () => published.length === 1);
    expect(published[0]!.id).toBe(_id);
  });

  test("entries stay in the outbox while the queue refuses them, and are published afterwards", async () => {
    const closed = await openLocalQueue({ store, groups, retry, clock, log: quietLogger });
    await closed.close();
    await announceMany(3);
    const refused = relaying({ queue: closed });
    await eventually("they were tried", async () => (await waiting(db)).every(({ leaseUntil }) => leaseUntil > clock.now()));
    await refused.stop();
    expect(await waiting(db)).toHaveLength(3);
    relaying({ clock: stoppedAt(clock.now() + 6000) });
    await eventually("all are handled", () => published.length === 3);
  });

  test("waiting entries are counted, and the age of the oldest is measured", async () => {
    const closed = await openLocalQueue({ store, groups, retry, clock, log: quietLogger });
    await closed.close();
    await announceMany(2);
    const minuteAgo = Math.floor(Date.now() / 1000 - 60).toString(16) + newId().slice(8);
    await db.commit([
      insert(outbox, { _id: minuteAgo, topic: "thing.changed", key: "", rev: 0, payload: {}, leaseUntil: clock.now() + 1e6 }),
    ]);
    relaying({ queue: closed });
    const valueOf = async (name: string) =>
      Number(new RegExp(`^${name}\\{service="test"\\} (\\S+)$`, "m").exec(await processRegistry.metrics())?.[1]);
    await eventually("three are counted", async () => (await valueOf("parley_outbox_entries")) === 3);
    expect(await valueOf("parley_outbox_oldest_seconds")).toBeGreaterThanOrEqual(60);
  });

  test("entries that cannot be published do not delay the others", async () => {
    await announceMany(40, { topic: "nobody.follows", payload: {} });
    await announceMany(5);
    relaying();
    await eventually("the others are handled", () => published.length === 5, soonMs);
  });

  test("stopping waits for entries in progress: afterwards each is either published and removed, or not claimed", async () => {
    await announceMany(300);
    const relay = relaying();
    await eventually("it has begun", () => published.length > 0);
    await relay.stop();
    const left = await waiting(db);
    expect(left.every(({ leaseUntil }) => leaseUntil === 0)).toBe(true);
    await eventually("the rest is handled", () => published.length === 300 - left.length);
  });
});
