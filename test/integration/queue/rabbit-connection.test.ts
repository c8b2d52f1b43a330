/** Tests of the queue's connection to RabbitMQ: several nodes, cut, frozen and refused connections, a late start. */
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { connect } from "amqplib";
import { StartError } from "../../../core/errors.ts";
import type { DurableEvent, Queue } from "../../../core/queue/queue.ts";
import { rabbitNames } from "../../../core/queue/rabbit-topology.ts";
import { openRabbitQueue } from "../../../core/queue/rabbit.ts";
import { eventually, within } from "../../support/eventually.ts";
import { openTcpProxy, type TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";
import { amqpUrl } from "../../support/infrastructure/infra.ts";
import { afterTest, handled, numbered, publishAll, rabbitQueues, revs } from "../../support/ports/queue-tests.ts";
import { event, groups, quietLogger } from "../../support/ports/queues.ts";
import { describeWith } from "../../support/systems/describe-with.ts";

const unavailable = expect.objectContaining({ type: "UNAVAILABLE" });

describeWith(["amqp"], "The queue on RabbitMQ, its connection", () => {
  async function proxied(): Promise<{ proxy: TcpProxy; near: Queue; far: Queue; name: string }> {
    const proxy = await openTcpProxy(amqpUrl());
    afterTest(proxy.close);
    const { name, join } = rabbitQueues();
    return { proxy, near: await join(proxy.url), far: await join(), name };
  }
  /** Publishes again until RabbitMQ confirms, as the outbox does. */
  const publishWithRetry = (queue: Queue, each: DurableEvent): Promise<true> =>
    eventually("it is published", () => queue.publish(each).then(() => true as const), 60_000);

  test("two nodes that consume the same group share its events", async () => {
    const { join } = rabbitQueues();
    const [one, two] = [await join(), await join()];
    const [byOne, byTwo] = [await handled(one, "profile", 5), await handled(two, "profile", 5)];
    await publishAll(one, numbered(200));
    await eventually("all are handled", () => byOne.length + byTwo.length === 200, 60_000);
    expect(revs([...byOne, ...byTwo])).toEqual(revs(numbered(200)));
    expect(Math.min(byOne.length, byTwo.length)).toBeGreaterThan(0);
  });

  test("events whose handlers all finish just before the close do not come again", async () => {
    const { name, join } = rabbitQueues();
    const queue = await join();
    const release = Promise.withResolvers<undefined>();
    let started = 0;
    const onEvent = () => {
      started += 1;
      return release.promise;
    };
    await queue.consume("profile", onEvent, { concurrency: 1000 });
    await publishAll(queue, numbered(10));
    await eventually("ten handlers run", () => started === 10);
    const other = await join();
    const closing = queue.close();
    const connection = await connect(amqpUrl());
    const channel = await connection.createChannel();
    // A message stays in the queue once RabbitMQ has cancelled the consumer.
    await eventually("the consumer is cancelled", async () => {
      await other.publish(event("user.changed", 99));
      return (await channel.checkQueue(rabbitNames(name).queue("profile"))).messageCount > 0;
    });
    await connection.close();
    release.resolve(undefined);
    await closing;
    const again = await handled(other, "profile");
    await eventually("the next event is handled", () => revs(again).includes(99));
    await other.publish(event("user.changed", 100));
    await eventually("the last event is handled", () => revs(again).includes(100));
    expect(revs(again).filter((rev) => rev < 10)).toEqual([]);
  });

  test("cutting the publisher's and the consumer's connections loses no event", async () => {
    const { proxy, near, far } = await proxied();
    const profile: DurableEvent[] = [];
    await near.consume("profile", async (each) => {
      await pause(2);
      profile.push(each);
    });
    const events = numbered(300);
    const publishing = Promise.all(events.map((each, index) => publishWithRetry(index % 2 === 0 ? near : far, each)));
    for (const share of [0.2, 0.6]) {
      await eventually("some are handled", () => profile.length >= events.length * share);
      await proxy.cut();
      await proxy.mend();
    }
    await publishing;
    await eventually("all are handled", () => new Set(revs(profile)).size === 300, 60_000);
    expect([...new Set(revs(profile))]).toEqual(revs(events));
  });

  test("while RabbitMQ is down, publishing fails immediately and health reports it; then everything works again", async () => {
    const { proxy, near, far } = await proxied();
    const request = await handled(near, "request");
    await proxy.cut();
    await eventually("it is noticed", () => !near.health().ok);
    await expect(near.publish(event("user.created"))).rejects.toEqual(unavailable);
    await far.publish(event("user.created", 7));
    await proxy.mend();
    await eventually("the event published meanwhile is handled", () => request.length === 1);
    await publishWithRetry(near, event("user.created", 8));
    await eventually("it works again", () => request.some(({ rev }) => rev === 8));
  });

  test("publishing to a frozen RabbitMQ fails after 5 s", async () => {
    const { proxy, near } = await proxied();
    proxy.freeze();
    const refused = expect(near.publish(event("user.created"))).rejects.toEqual(unavailable);
    await within(7000, "the publisher gives up", refused);
    await proxy.cut();
    await proxy.mend();
  });

  test("when a single channel closes, the queue reconnects and declares its consumers again", async () => {
    const { name, join } = rabbitQueues();
    const queue = await join();
    const request = await handled(queue, "request");
    const connection = await connect(amqpUrl());
    await (await connection.createChannel()).deleteQueue(rabbitNames(name).queue("request"));
    await connection.close();
    await eventually("events are consumed again", async () => {
      await queue.publish(event("user.created"));
      return request.length > 0;
    });
  });

  test("wrong credentials stop the start with a one-line error", async () => {
    const url = Object.assign(new URL(amqpUrl()), { username: "nobody", password: "wrong" }).href;
    const opening = openRabbitQueue({ url, name: "test", groups, retry: { firstDelayMs: 50, attempts: 2 }, log: quietLogger });
    await expect(opening).rejects.toThrow(StartError);
    await expect(opening).rejects.toThrow(/^AMQP_URL: [^\n]+$/);
  });

  test("the start waits for a RabbitMQ that is not up yet", async () => {
    const proxy = await openTcpProxy(amqpUrl());
    afterTest(proxy.close);
    const { join } = rabbitQueues();
    await join(); // Declares the queues, so that only the connection is missing.
    await proxy.cut();
    const opening = join(proxy.url);
    await proxy.mend();
    expect((await within(10_000, "it opens", opening)).health()).toEqual({ ok: true });
  });
});
