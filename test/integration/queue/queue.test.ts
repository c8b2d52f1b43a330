/** Tests what the queue port guarantees, on every adapter: publishing, retrying and consuming. */
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import type { DurableEvent, Queue } from "../../../core/queue/queue.ts";
import { eventually, within } from "../../support/eventually.ts";
import { dead, describeQueues, failing, handled, localQueues, numbered, publishAll, revs } from "../../support/ports/queue-tests.ts";
import { event, type TestQueues } from "../../support/ports/queues.ts";

const unavailable = expect.objectContaining({ type: "UNAVAILABLE" });

describeQueues((makeQueues) => {
  const open = async (...retry: Parameters<TestQueues["open"]>): Promise<Queue> => (await makeQueues()).open(...retry);

  describe("publishing", () => {
    test("every group that follows the topic gets the event as it was published, and no other group gets it", async () => {
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
      await eventually("the group that starts late handles all, too", () => request.length === 20);
    });

    test("published events and their attempt counts survive a close", async () => {
      const { open: openAgain } = await makeQueues();
      const queue = await openAgain({ firstDelayMs: 300, attempts: 2 });
      const failed = Promise.withResolvers<undefined>();
      await queue.consume("slow", () => {
        failed.resolve(undefined);
        return failing();
      });
      const published = event("slow.topic");
      await queue.publish(published);
      await publishAll(queue, numbered(10));
      await failed.promise;
      const again = await openAgain({ firstDelayMs: 300, attempts: 2 });
      const profile = await handled(again, "profile");
      await again.consume("slow", failing);
      await eventually("all are handled", () => profile.length === 10);
      // RabbitMQ may confirm a dead letter too late on a busy disk. The attempt is then repeated, and leaves a second dead letter.
      const letters = await eventually("it is a dead letter", async () => {
        const found = await again.deadLetters("slow", 200);
        return found.length > 0 && found;
      });
      expect(letters).toEqual(letters.map(() => expect.objectContaining({ event: published, attempts: 2 })));
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

    test("publishing to a topic that no group follows is refused", async () => {
      await expect((await open()).publish(event("nobody.cares"))).rejects.toEqual(unavailable);
    });

    test("a closed queue refuses to publish", async () => {
      const queue = await open();
      await queue.close();
      await expect(queue.publish(event("user.created"))).rejects.toEqual(unavailable);
    });
  });

  describe("retrying", () => {
    test("a failed event is retried after a delay that doubles, until it succeeds", async () => {
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

    test("an event that always fails blocks neither its own group nor another", async () => {
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

    test("a handler that throws synchronously is retried like one that rejects", async () => {
      const queue = await open({ attempts: 1 });
      await queue.consume("slow", () => {
        throw new Error("at once");
      });
      await queue.publish(event("slow.topic"));
      expect(await dead(queue, "slow", 1)).toEqual([expect.objectContaining({ reason: "at once" })]);
    });
  });

  describe("consuming", () => {
    test("no more events are handled at a time than the concurrency allows", async () => {
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

    test("closing waits for the running handlers, and their events do not come again", async () => {
      const { open: openAgain } = await makeQueues();
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

    test("a thousand events published at the same time are all handled", async () => {
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
});

describe("The queue in process only", () => {
  test("an event published again while it still waits is handled once", async () => {
    const { open } = await localQueues();
    const queue = await open();
    const twice = event("user.created");
    await publishAll(queue, [twice, twice]);
    await queue.publish(twice);
    const profile = await handled(queue, "profile");
    await queue.publish(event("user.changed", 2));
    await eventually("the next is handled", () => profile.length > 1);
    expect(revs(profile)).toEqual([1, 2]);
  });

  test("a group has one consumer", async () => {
    const { open } = await localQueues();
    const queue = await open();
    await handled(queue, "profile");
    expect(() => queue.consume("profile", failing)).toThrow("profile");
  });
});
