/** The queue port's promises, on both adapters; then what only one of them can do wrong. */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "@jest/globals";
import { connect } from "amqplib";
import { StartError } from "../../../core/errors.ts";
import { neverAnswered, type DeadLetter, type DurableEvent, type Queue } from "../../../core/queue/queue.ts";
import { rabbitNames } from "../../../core/queue/rabbit-topology.ts";
import { openRabbitQueue } from "../../../core/queue/rabbit.ts";
import { eventually, within } from "../../support/eventually.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { amqpUrl } from "../../support/infrastructure/infra.ts";
import {
  event,
  groups,
  localTestQueues,
  quietLogger,
  rabbitTestQueues,
  type TestQueues,
  type RabbitTestQueues,
} from "../../support/ports/queues.ts";
import { openTcpProxy, type TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const unavailable = expect.objectContaining({ type: "UNAVAILABLE" });
const failing = (): Promise<void> => Promise.reject(new Error("on purpose"));
const numbered = (count: number, topic = "user.created"): DurableEvent[] =>
  Array.from({ length: count }, (_, index) => event(topic, index));
const revs = (events: readonly DurableEvent[]): number[] => events.map(({ rev }) => rev).sort((a, b) => a - b);
const publishAll = (queue: Queue, events: readonly DurableEvent[]) => Promise.all(events.map((each) => queue.publish(each)));

/** Consumes the group; what it handled. */
async function handled(queue: Queue, group: string, concurrency?: number): Promise<DurableEvent[]> {
  const events: DurableEvent[] = [];
  const handle = (each: DurableEvent): Promise<void> => Promise.resolve(void events.push(each));
  await queue.consume(group, handle, concurrency === undefined ? {} : { concurrency });
  return events;
}
/** A look at dead letters that RabbitMQ leaves without an answer for so long ends with what it has seen. */
const lookEndsMs = 2000;
/** Replays until so many were handed out, in one look or more. */
async function replay(queue: Queue, count: number, ...which: Parameters<Queue["replay"]>): Promise<void> {
  let replayed = 0;
  await eventually(`${count} are replayed`, async () => (replayed += await queue.replay(...which)) >= count);
  expect(replayed).toBe(count);
}
async function dead(queue: Queue, group: string, count: number): Promise<DeadLetter[]> {
  let letters: DeadLetter[] = [];
  const areThere = async () => (letters = await queue.deadLetters(group, 200)).length === count;
  await eventually(`${count} dead letters of ${group}`, areThere).catch((error: unknown) => {
    throw new Error(`${group} has ${letters.length} dead letters, not ${count}: ${JSON.stringify(letters)}`, { cause: error });
  });
  return letters;
}

function promisesOfThePort(makeBench: () => TestQueues | Promise<TestQueues>): void {
  async function bench(): Promise<TestQueues> {
    const made = await makeBench();
    cleanUps.push(made.cleanUp);
    return made;
  }
  const open = async (...retry: Parameters<TestQueues["open"]>): Promise<Queue> => (await bench()).open(...retry);

  describe("publishing", () => {
    test("every group that follows the topic gets the event as it was published, no other does", async () => {
      const queue = await open();
      const [profile, request, slow] = [await handled(queue, "profile"), await handled(queue, "request"), await handled(queue, "slow")];
      const [both, one] = [event("user.created"), event("user.changed")];
      await publishAll(queue, [both, one]);
      await eventually("all are handled", () => profile.length + request.length === 3);
      expect(profile).toEqual(expect.arrayContaining([both, one]));
      expect([request, slow]).toEqual([[both], []]);
    });

    test("an event waits for a group that is not running", async () => {
      const queue = await open();
      await publishAll(queue, numbered(20));
      const profile = await handled(queue, "profile");
      await eventually("all are handled", () => profile.length === 20);
      const request = await handled(queue, "request");
      await eventually("all are handled by the late one, too", () => request.length === 20);
    });

    test("what was published survives a close, with its attempts", async () => {
      const { open: openAgain } = await bench();
      const queue = await openAgain({ firstDelayMs: 300, attempts: 2 });
      const failed = Promise.withResolvers<undefined>();
      await queue.consume("slow", () => {
        failed.resolve(undefined);
        return failing();
      });
      await queue.publish(event("slow.topic"));
      await publishAll(queue, numbered(10));
      await failed.promise;
      const again = await openAgain({ firstDelayMs: 300, attempts: 2 });
      const profile = await handled(again, "profile");
      await again.consume("slow", failing);
      await eventually("all are handled", () => profile.length === 10);
      expect(await dead(again, "slow", 1)).toEqual([expect.objectContaining({ attempts: 2 })]);
    });

    test("an event published again keeps its id", async () => {
      const queue = await open();
      const twice = event("user.changed");
      await queue.publish(twice);
      await queue.publish(twice);
      const profile = await handled(queue, "profile");
      await eventually("it is handled", () => profile.length > 0);
      expect(new Set(profile.map(({ id }) => id))).toEqual(new Set([twice.id]));
    });

    test("a topic that nobody follows is refused", async () => {
      await expect((await open()).publish(event("nobody.cares"))).rejects.toEqual(unavailable);
    });

    test("a closed queue takes nothing", async () => {
      const queue = await open();
      await queue.close();
      await expect(queue.publish(event("user.created"))).rejects.toEqual(unavailable);
    });
  });

  describe("retrying", () => {
    test("a failed event comes again after a pause that doubles, until it succeeds", async () => {
      const queue = await open({ firstDelayMs: 150, attempts: 5 });
      const times: number[] = [];
      const done = Promise.withResolvers<undefined>();
      await queue.consume("slow", () => {
        times.push(Date.now());
        if (times.length < 3) return failing();
        done.resolve(undefined);
        return Promise.resolve();
      });
      await queue.publish(event("slow.topic"));
      await within(60_000, "the third attempt", done.promise);
      expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(140);
      expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(290);
      expect(await queue.deadLetters("slow", 10)).toEqual([]);
    });

    test("an always failing event blocks neither its group nor another", async () => {
      const queue = await open({ firstDelayMs: 50, attempts: 20 });
      const bad = event("user.created", -1);
      const good: DurableEvent[] = [];
      await queue.consume("profile", (each) => (each.id === bad.id ? failing() : Promise.resolve(void good.push(each))), {
        concurrency: 1,
      });
      const request = await handled(queue, "request");
      await queue.publish(bad);
      await publishAll(queue, numbered(30));
      await eventually("all others are handled", () => good.length === 30 && request.length === 31, 60_000);
      expect(revs(good)).toEqual(revs(numbered(30)));
    });

    test("a handler that throws at once is a failure like any other", async () => {
      const queue = await open({ attempts: 1 });
      await queue.consume("slow", () => {
        throw new Error("at once");
      });
      await queue.publish(event("slow.topic"));
      expect(await dead(queue, "slow", 1)).toEqual([expect.objectContaining({ reason: "at once" })]);
    });
  });

  describe("dead letters", () => {
    test("after so many attempts an event is one, and says why; listing does not remove it", async () => {
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
      await eventually("they are counted", async () =>
        (await queue.depths()).some(({ group, waiting, dead: count }) => group === "slow" && waiting === 0 && count === 1),
      );
      expect(letter).toEqual({ event: lost, group: "slow", attempts: 3, reason: "on purpose", diedAt: expect.any(Number) });
      expect(letter!.diedAt).toBeGreaterThanOrEqual(before);
      expect(attempts).toBe(3);
      let wasSlow = false;
      for (let look = 0; look < 25; look += 1) {
        const began = performance.now();
        const seen = await queue.deadLetters("slow", 10);
        const isSlow = performance.now() - began >= lookEndsMs;
        if (!isSlow && !wasSlow) expect(seen).toEqual([letter]);
        wasSlow = isSlow;
      }
      expect(await dead(queue, "slow", 1)).toEqual([letter]);
      expect(await queue.deadLetters("profile", 10)).toEqual([]);
    });

    test("the newest come first, at most so many", async () => {
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

    test("one is handed out again with new attempts, or all are; the number is answered", async () => {
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

    test("one that fails again after its replay is one again", async () => {
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

  describe("consuming", () => {
    test("at most so many events are handled at a time", async () => {
      const queue = await open();
      let now = 0;
      let most = 0;
      let all = 0;
      await publishAll(queue, numbered(30));
      await queue.consume(
        "profile",
        async () => {
          most = Math.max(most, (now += 1));
          await pause(10);
          now -= 1;
          all += 1;
        },
        { concurrency: 3 },
      );
      await eventually("all are handled", () => all === 30);
      expect(most).toBe(3);
    });

    test("a group that does not exist is an error", async () => {
      const queue = await open();
      await expect((async () => queue.consume("nobody", failing))()).rejects.toThrow("nobody");
      await expect((async () => queue.deadLetters("nobody", 1))()).rejects.toThrow("nobody");
      await expect((async () => queue.replay("nobody"))()).rejects.toThrow("nobody");
    });

    test("closing waits for the handlers under way, and what they handled does not come again", async () => {
      const { open: openAgain } = await bench();
      const queue = await openAgain();
      const begun = Promise.withResolvers<undefined>();
      const ended = Promise.withResolvers<undefined>();
      let isHandled = false;
      await queue.consume("slow", async () => {
        begun.resolve(undefined);
        await ended.promise;
        isHandled = true;
      });
      await queue.publish(event("slow.topic"));
      await begun.promise;
      const closing = queue.close();
      ended.resolve(undefined);
      await closing;
      expect(isHandled).toBe(true);
      const again = await openAgain();
      const slow = await handled(again, "slow");
      await again.publish(event("slow.topic", 2));
      await eventually("the next is handled", () => slow.length > 0);
      expect(revs(slow)).toEqual([2]);
    });

    test("a thousand events published at once are all handled", async () => {
      const queue = await open();
      const profile = await handled(queue, "profile");
      await publishAll(queue, numbered(1000, "user.changed"));
      await eventually("all are handled", () => profile.length === 1000, 120_000);
      expect(revs(profile)).toEqual(revs(numbered(1000)));
    });

    test("an open queue is healthy", async () => {
      expect((await open()).health()).toEqual({ ok: true });
    });
  });
}

describe("The queue in process", () => promisesOfThePort(localTestQueues));
describeWith(["amqp"], "The queue on RabbitMQ", () => promisesOfThePort(rabbitTestQueues));

describe("The queue in process, besides", () => {
  test("an event published again while it waits is handled once", async () => {
    const { open, cleanUp } = await localTestQueues();
    cleanUps.push(cleanUp);
    const queue = await open();
    const twice = event("user.created");
    await publishAll(queue, [twice, twice]);
    await queue.publish(twice);
    const profile = await handled(queue, "profile");
    await queue.publish(event("user.changed", 2));
    await eventually("the next is handled", () => profile.length > 1);
    expect(revs(profile)).toEqual([1, 2]);
  });

  test("an event that ends its process each time becomes a dead letter", async () => {
    const { open, crash, cleanUp } = await localTestQueues();
    cleanUps.push(cleanUp);
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

  test("a group has one consumer", async () => {
    const { open, cleanUp } = await localTestQueues();
    cleanUps.push(cleanUp);
    const queue = await open();
    await handled(queue, "profile");
    expect(() => queue.consume("profile", failing)).toThrow("profile");
  });
});

describeWith(["amqp"], "The queue on RabbitMQ, its connection", () => {
  function bench(): RabbitTestQueues {
    const made = rabbitTestQueues();
    cleanUps.push(made.cleanUp);
    return made;
  }
  async function proxied(): Promise<{ proxy: TcpProxy; near: Queue; far: Queue; name: string }> {
    const proxy = await openTcpProxy(amqpUrl());
    cleanUps.push(proxy.close);
    const { name, join } = bench();
    return { proxy, near: await join(proxy.url), far: await join(), name };
  }
  /** As the outbox does: again until it is taken. */
  const publishSurely = (queue: Queue, each: DurableEvent): Promise<true> =>
    eventually("it is published", () => queue.publish(each).then(() => true as const), 60_000);

  test("two nodes of a group share its events", async () => {
    const { join } = bench();
    const [one, two] = [await join(), await join()];
    const [byOne, byTwo] = [await handled(one, "profile", 5), await handled(two, "profile", 5)];
    await publishAll(one, numbered(200));
    await eventually("all are handled", () => byOne.length + byTwo.length === 200, 60_000);
    expect(revs([...byOne, ...byTwo])).toEqual(revs(numbered(200)));
    expect(Math.min(byOne.length, byTwo.length)).toBeGreaterThan(0);
  });

  test("connections cut in the middle, of the publisher and of the consumer, lose nothing", async () => {
    const { proxy, near, far } = await proxied();
    const profile: DurableEvent[] = [];
    await near.consume("profile", async (each) => {
      await pause(2);
      profile.push(each);
    });
    const events = numbered(300);
    const publishing = Promise.all(events.map((each, index) => publishSurely(index % 2 === 0 ? near : far, each)));
    for (const share of [0.2, 0.6]) {
      await eventually("some are handled", () => profile.length >= events.length * share);
      await proxy.cut();
      await proxy.mend();
    }
    await publishing;
    await eventually("all are handled", () => new Set(revs(profile)).size === 300, 60_000);
    expect([...new Set(revs(profile))]).toEqual(revs(events));
  });

  test("while RabbitMQ is away publishing fails at once and health says so; then all goes on", async () => {
    const { proxy, near, far } = await proxied();
    const request = await handled(near, "request");
    await proxy.cut();
    await eventually("it is noticed", () => !near.health().ok);
    await expect(near.publish(event("user.created"))).rejects.toEqual(unavailable);
    await far.publish(event("user.created", 7));
    await proxy.mend();
    await eventually("what came meanwhile is handled", () => request.length === 1);
    await publishSurely(near, event("user.created", 8));
    await eventually("it works again", () => request.some(({ rev }) => rev === 8));
  });

  test("a RabbitMQ that froze is not waited for beyond 5 s", async () => {
    const { proxy, near } = await proxied();
    proxy.freeze();
    const refused = expect(near.publish(event("user.created"))).rejects.toEqual(unavailable);
    await within(7000, "the publisher gives up", refused);
    await proxy.cut();
    await proxy.mend();
  });

  test("a channel that closes alone is repaired, and what it consumed declared again", async () => {
    const { name, join } = bench();
    const queue = await join();
    const request = await handled(queue, "request");
    const connection = await connect(amqpUrl());
    await (await connection.createChannel()).deleteQueue(rabbitNames(name).queue("request"));
    await connection.close();
    await eventually("it is heard again", async () => {
      await queue.publish(event("user.created"));
      return request.length > 0;
    });
  });

  test("an event that ends its process each time becomes a dead letter", async () => {
    const { name, join } = bench();
    const queue = await join();
    const poison = event("slow.topic");
    await queue.publish(poison);
    const connection = await connect(amqpUrl());
    let deaths = 0;
    // What a process held is back in the queue only some time after its end.
    await eventually("it is given up", async () => {
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
    await eventually("it is handled after all", () => slow.length === 1);
  });

  test("what is not an event ends among the dead letters, for an operator to see", async () => {
    const { name, join } = bench();
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

  test("wrong credentials end the start with one line", async () => {
    const url = Object.assign(new URL(amqpUrl()), { username: "nobody", password: "wrong" }).href;
    const opening = openRabbitQueue({ url, name: "test", groups, retry: { firstDelayMs: 50, attempts: 2 }, log: quietLogger });
    await expect(opening).rejects.toThrow(StartError);
    await expect(opening).rejects.toThrow(/^AMQP_URL: [^\n]+$/);
  });

  test("a RabbitMQ that is not there yet is waited for", async () => {
    const proxy = await openTcpProxy(amqpUrl());
    cleanUps.push(proxy.close);
    const { join } = bench();
    await join(); // Only the connection is waited for then: the queues are there.
    await proxy.cut();
    const opening = join(proxy.url);
    await proxy.mend();
    expect((await within(10_000, "it opens", opening)).health()).toEqual({ ok: true });
  });
});
