/** Tests of dead letters: in the queue port on every adapter, and in the REPL, where operators list and replay them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { connect } from "amqplib";
import type { ServiceBroker } from "moleculer";
import { call } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { portsOf } from "../../../core/node/ports.ts";
import { neverAnswered, type DeadLetter, type DurableEvent, type Queue } from "../../../core/queue/queue.ts";
import { rabbitNames } from "../../../core/queue/rabbit-topology.ts";
import adminService from "../../../services/admin/admin.service.ts";
import { admin } from "../../../services/admin/contract.ts";
import { eventually } from "../../support/eventually.ts";
import { amqpUrl } from "../../support/infrastructure/infra.ts";
import { startBroker, thingEvents } from "../../support/ports/outbox-service.ts";
import {
  dead,
  describeQueues,
  failing,
  handled,
  localQueues,
  numbered,
  publishAll,
  rabbitQueues,
  replay,
} from "../../support/ports/queue-tests.ts";
import { event, type TestQueues } from "../../support/ports/queues.ts";
import { describeWith } from "../../support/systems/describe-with.ts";

/** If RabbitMQ does not answer for this long, listing dead letters returns what it has so far. */
const listingTimeoutMs = 2000;

describeQueues((makeQueues) => {
  const open = async (...retry: Parameters<TestQueues["open"]>): Promise<Queue> => (await makeQueues()).open(...retry);

  test("an event that fails all its attempts becomes a dead letter with the reason, and listing does not remove it", async () => {
    const queue = await open({ attempts: 3 });
    let attempts = 0;
    await queue.consume("slow", () => {
      attempts += 1;
      return failing();
    });
    const lost = event("slow.topic");
    const before = Date.now();
    await queue.publish(lost);
    const [letter] = await dead(queue, "slow", 1);
    await eventually("the dead letter is counted", async () =>
      (await queue.depths()).some(({ group, waiting, dead: count }) => group === "slow" && waiting === 0 && count === 1),
    );
    expect(letter).toEqual({ event: lost, group: "slow", attempts: 3, reason: "on purpose", diedAt: expect.any(Number) });
    expect(letter!.diedAt).toBeGreaterThanOrEqual(before);
    expect(attempts).toBe(3);
    let wasSlow = false;
    for (let look = 0; look < 25; look += 1) {
      const began = performance.now();
      const seen = await queue.deadLetters("slow", 10);
      const isSlow = performance.now() - began >= listingTimeoutMs;
      if (!isSlow && !wasSlow) expect(seen).toEqual([letter]);
      wasSlow = isSlow;
    }
    expect(await dead(queue, "slow", 1)).toEqual([letter]);
    expect(await queue.deadLetters("profile", 10)).toEqual([]);
  });

  test("listing returns the newest first, up to the limit", async () => {
    const queue = await open({ attempts: 1 });
    await queue.consume("slow", failing, { concurrency: 1 });
    const events = numbered(5, "slow.topic");
    for (const [index, each] of events.entries()) {
      await queue.publish(each);
      await dead(queue, "slow", index + 1);
    }
    let newest: DeadLetter[] = [];
    await eventually("three are listed", async () => (newest = await queue.deadLetters("slow", 3)).length === 3);
    expect(newest.map(({ event: { rev } }) => rev)).toEqual([4, 3, 2]);
  });

  test("a replay of one or of all delivers them again with new attempts, and returns how many", async () => {
    const queue = await open({ attempts: 2 });
    const succeeded: DurableEvent[] = [];
    let works = false;
    await queue.consume("slow", (each) => (works ? Promise.resolve(void succeeded.push(each)) : failing()));
    const events = numbered(5, "slow.topic");
    await publishAll(queue, events);
    await dead(queue, "slow", 5);
    expect(await queue.replay("slow", "000000000000000000000000")).toBe(0);
    works = true;
    await replay(queue, 1, "slow", events[2]!.id);
    await eventually("it is handled", () => succeeded.length === 1);
    expect(succeeded).toEqual([events[2]]);
    await dead(queue, "slow", 4);
    await replay(queue, 4, "slow");
    await eventually("all are handled", () => succeeded.length === 5);
    expect(await queue.deadLetters("slow", 10)).toEqual([]);
  });

  test("a replayed event that fails again becomes a dead letter again", async () => {
    const queue = await open({ attempts: 2 });
    let attempts = 0;
    await queue.consume("slow", () => {
      attempts += 1;
      return failing();
    });
    await queue.publish(event("slow.topic"));
    await dead(queue, "slow", 1);
    await replay(queue, 1, "slow");
    await eventually("it was tried again", () => attempts === 4);
    await dead(queue, "slow", 1);
  });
});

describe("Dead letters in process", () => {
  test("an event that kills its process at every attempt becomes a dead letter", async () => {
    const { open, crash } = await localQueues();
    const poison = event("slow.topic");
    await (await open({ attempts: 2 })).publish(poison);
    for (let life = 1; life <= 2; life += 1) {
      const queue = await open({ attempts: 2 });
      const begun = Promise.withResolvers<undefined>();
      await queue.consume("slow", () => {
        begun.resolve(undefined);
        return new Promise(() => undefined);
      });
      await begun.promise;
      await crash();
    }
    const queue = await open({ attempts: 2 });
    const slow = await handled(queue, "slow");
    expect(await dead(queue, "slow", 1)).toEqual([expect.objectContaining({ event: poison, reason: neverAnswered })]);
    expect(slow).toEqual([]);
  });
});

describeWith(["amqp"], "Dead letters on RabbitMQ", () => {
  test("an event that kills its process at every attempt becomes a dead letter", async () => {
    const { name, join } = rabbitQueues();
    const queue = await join();
    const poison = event("slow.topic");
    await queue.publish(poison);
    const connection = await connect(amqpUrl());
    let deaths = 0;
    // RabbitMQ requeues a process's events some time after the process has ended.
    await eventually("the event is a dead letter", async () => {
      const process = await connection.createChannel();
      if ((await process.get(rabbitNames(name).queue("slow"))) !== false) deaths += 1;
      await process.close();
      return (await queue.deadLetters("slow", 1)).length > 0;
    });
    await connection.close();
    expect(deaths).toBeLessThan(30);
    const [letter] = await dead(queue, "slow", 1);
    expect(letter).toEqual({ event: poison, group: "slow", attempts: deaths, reason: neverAnswered, diedAt: expect.any(Number) });
    expect(Math.abs(letter!.diedAt - Date.now())).toBeLessThan(60_000);
    const slow = await handled(queue, "slow");
    await replay(queue, 1, "slow");
    await eventually("the replayed event is handled", () => slow.length === 1);
  });

  test("a message that is not an event becomes a dead letter that an operator can see", async () => {
    const { name, join } = rabbitQueues();
    const queue = await join();
    const slow = await handled(queue, "slow");
    const connection = await connect(amqpUrl());
    const channel = await connection.createConfirmChannel();
    channel.publish(rabbitNames(name).events, "slow.topic", Buffer.from("not JSON"));
    await channel.waitForConfirms();
    await connection.close();
    expect(await dead(queue, "slow", 1)).toEqual([expect.objectContaining({ event: expect.objectContaining({ payload: "not JSON" }) })]);
    expect(slow).toEqual([]);
  });
});

describe("Dead letters in the REPL", () => {
  let folder: string;
  let broker: ServiceBroker;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "parley-admin-"));
    broker = await startBroker(folder, adminService);
  });
  afterAll(async () => {
    await broker.stop();
    await rm(folder, { recursive: true });
  });

  test("no route can call the admin actions", () => {
    const { actions } = broker.getLocalService("admin").schema as { actions: Record<string, { visibility: string }> };
    expect(Object.values(actions).map(({ visibility }) => visibility)).toEqual(["public", "public"]);
  });

  test("a dead letter is listed and replayed, and is gone once its handler succeeds", async () => {
    const { queue } = portsOf(broker);
    const failed: DurableEvent = { id: newId(), topic: thingEvents.changed.topic, key: newId(), rev: 1, payload: {} };
    let works = false;
    const handled: string[] = [];
    await queue.consume("shelf", ({ id }) => (works ? Promise.resolve(void handled.push(id)) : Promise.reject(new Error("on purpose"))));
    await queue.publish(failed);
    const listed = () => call(broker, admin.deadLetters, { group: "shelf" });
    const letters = await eventually("it is listed", async () => (await listed()).length > 0 && listed());
    expect(letters).toEqual([{ event: failed, group: "shelf", attempts: 3, reason: "on purpose", diedAt: expect.any(Number) }]);
    works = true;
    expect(await call(broker, admin.replay, { group: "shelf", eventId: newId() })).toBe(0);
    expect(await call(broker, admin.replay, { group: "shelf" })).toBe(1);
    await eventually("it is handled", () => handled.length === 1);
    expect(await listed()).toEqual([]);
  });

  test("an unknown group is 404", async () => {
    const notFound = expect.objectContaining({ type: "NOT_FOUND", code: 404 });
    await expect(call(broker, admin.deadLetters, { group: "nobody" })).rejects.toEqual(notFound);
    await expect(call(broker, admin.replay, { group: "nobody" })).rejects.toEqual(notFound);
  });
});
