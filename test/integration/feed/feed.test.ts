/** Tests what the feed port guarantees, on every adapter, and the failures of Redis: a lost connection, a freeze, a refusal. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { ServiceBroker } from "moleculer";
import { StartError } from "../../../core/errors.ts";
import { channel, type Channel, type Feed } from "../../../core/feed/feed.ts";
import { openLocalFeed } from "../../../core/feed/local.ts";
import { openRedisFeed } from "../../../core/feed/redis.ts";
import { eventually, within } from "../../support/eventually.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { redisUrl } from "../../support/infrastructure/infra.ts";
import { openTcpProxy, type TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

interface Numbered {
  readonly n: number;
}
const [a, b] = [channel<Numbered>("a"), channel<Numbered>("b")];
const log = new ServiceBroker({ logger: false }).getLogger("TEST");
const closeables: { close(): unknown }[] = [];
const closing = <T extends { close(): unknown }>(part: T): T => {
  closeables.push(part);
  return part;
};
afterEach(async () => {
  for (const part of closeables.splice(0).reverse()) await part.close();
});

const openRedis = async (prefix = `test-${randomUUID()}:`, url = redisUrl()): Promise<Feed> =>
  closing(await openRedisFeed({ url, prefix, log }));
const openProxied = async (): Promise<{ proxy: TcpProxy; near: Feed; far: Feed }> => {
  const prefix = `test-${randomUUID()}:`;
  const proxy = closing(await openTcpProxy(redisUrl()));
  return { proxy, near: await openRedis(prefix, proxy.url), far: await openRedis(prefix) };
};
/** Collects what these channels bring from now on. */
async function messagesOf(feed: Feed, ...channels: Channel<Numbered>[]): Promise<{ messages: number[]; stop: () => void }> {
  const messages: number[] = [];
  const subscription = await feed.subscribe(channels, ({ n }) => messages.push(n));
  return { messages, stop: () => subscription.stop() };
}
/** On many channels: publishes as soon as `subscribe` has resolved, and waits until each message is received. */
async function publishOnceSubscribed(listener: Feed, publisher: Feed): Promise<void> {
  const received = upTo(200).map(async (n) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const numbered = channel<Numbered>(`channel ${n}`);
    await listener.subscribe([numbered], resolve);
    publisher.publish(numbered, { n });
    expect(await promise).toEqual({ n });
  });
  await within(10_000, "all messages are received", Promise.all(received));
}
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

function portTests(open: () => Promise<Feed>): void {
  describe("receiving", () => {
    test("all messages published after subscribe has resolved are received in order", async () => {
      const feed = await open();
      const received = await messagesOf(feed, a);
      for (const n of upTo(2000)) feed.publish(a, { n });
      await eventually("all messages are received", () => received.messages.length === 2000);
      expect(received.messages).toEqual(upTo(2000));
    });

    test("a message published right after subscribe has resolved is never missed", async () => {
      const feed = await open();
      await publishOnceSubscribed(feed, feed);
    });

    test("every subscriber of a channel gets its messages, and none of another channel", async () => {
      const feed = await open();
      const [one, two, other] = [await messagesOf(feed, a), await messagesOf(feed, a), await messagesOf(feed, b)];
      feed.publish(a, { n: 1 });
      feed.publish(b, { n: 2 });
      await eventually("all messages are received", () => one.messages.length + two.messages.length + other.messages.length === 3);
      expect([one.messages, two.messages, other.messages]).toEqual([[1], [1], [2]]);
    });

    test("one subscription can have many channels, and gets the channel with each message", async () => {
      const feed = await open();
      const received: string[] = [];
      const channels = upTo(1000).map((n) => channel<object>(String(n)));
      await feed.subscribe(channels, (_, name) => received.push(name));
      for (const one of channels) feed.publish(one, {});
      await eventually("all messages are received", () => received.length === 1000);
      expect(received).toEqual(channels);
    });

    test("messages of any content arrive as they were sent", async () => {
      const feed = await open();
      const any = channel<object>("any");
      const sent = { text: 'ünïcødé 🙂 "\n', nested: { list: [1, null, { deep: true }] } };
      const { promise, resolve } = Promise.withResolvers<unknown>();
      await feed.subscribe([any], resolve);
      feed.publish(any, sent);
      expect(await within(5000, "the message is received", promise)).toEqual(sent);
    });
  });

  describe("stopping", () => {
    test("a stopped subscription gets nothing more, while others of the channel go on", async () => {
      const feed = await open();
      const [stopped, stays] = [await messagesOf(feed, a), await messagesOf(feed, a)];
      stopped.stop();
      feed.publish(a, { n: 1 });
      await eventually("the other subscriber gets it", () => stays.messages.length === 1);
      expect(stopped.messages).toEqual([]);
    });

    test("a subscriber that stops and subscribes again immediately misses nothing from then on", async () => {
      const feed = await open();
      for (const n of upTo(100)) {
        (await messagesOf(feed, a)).stop();
        const { promise: received, resolve } = Promise.withResolvers<unknown>();
        const again = await feed.subscribe([a], resolve);
        feed.publish(a, { n });
        expect(await within(5000, "the message is received", received)).toEqual({ n });
        again.stop();
      }
    });

    test("a subscription stopped during a message's delivery does not get it if it has not had it yet", async () => {
      const feed = await open();
      const received: string[] = [];
      await feed.subscribe([a], () => {
        received.push("first");
        second.stop();
      });
      const second = await feed.subscribe([a], () => received.push("second"));
      const last = await messagesOf(feed, a);
      feed.publish(a, { n: 1 });
      await eventually("the last subscriber gets it", () => last.messages.length === 1);
      expect(received).toEqual(["first"]);
    });
  });

  describe("listeners that throw or publish", () => {
    test("a listener that throws neither stops the others nor fails the publisher", async () => {
      const feed = await open();
      await feed.subscribe([a], () => {
        throw new Error("the listener fails on purpose");
      });
      const received = await messagesOf(feed, a);
      for (const n of upTo(3)) feed.publish(a, { n });
      await eventually("the other listener gets all", () => received.messages.length === 3);
    });

    test("a message that a listener publishes comes after the current one, for every subscriber", async () => {
      const feed = await open();
      await feed.subscribe([a], ({ n }) => {
        if (n === 1) feed.publish(a, { n: 2 });
      });
      const received = await messagesOf(feed, a);
      feed.publish(a, { n: 1 });
      await eventually("both messages are received", () => received.messages.length === 2);
      expect(received.messages).toEqual([1, 2]);
    });
  });

  describe("closing", () => {
    test("a closed feed delivers nothing, and publishing to it does not throw", async () => {
      const feed = await open();
      const received = await messagesOf(feed, a);
      await feed.close();
      feed.publish(a, { n: 1 });
      received.stop();
      expect(received.messages).toEqual([]);
    });

    test("an open feed is healthy", async () => {
      expect((await open()).health()).toEqual({ ok: true });
    });
  });
}

describe("The feed in process", () => portTests(() => Promise.resolve(closing(openLocalFeed()))));
describeWith(["redis"], "The feed on Redis", () => portTests(openRedis));

describeWith(["redis"], "The feed on Redis, its connection", () => {
  test("nodes get each other's messages, and those of one publisher in order", async () => {
    const prefix = `test-${randomUUID()}:`;
    const [one, two, three] = [await openRedis(prefix), await openRedis(prefix), await openRedis(prefix)];
    const received = await messagesOf(three, a);
    for (const n of upTo(500)) {
      one.publish(a, { n });
      two.publish(a, { n: -n });
    }
    await eventually("all messages are received", () => received.messages.length === 1000);
    expect(received.messages.filter((n) => n > 0)).toEqual(upTo(500));
    expect(received.messages.filter((n) => n < 0)).toEqual(upTo(500).map((n) => -n));
  });

  test("once subscribe has resolved, messages of another node are received", async () => {
    const prefix = `test-${randomUUID()}:`;
    await publishOnceSubscribed(await openRedis(prefix), await openRedis(prefix));
  });

  test("a mesh with another prefix gets nothing", async () => {
    const [ours, theirs] = [await openRedis(), await openRedis()];
    const [received, leaked] = [await messagesOf(ours, a), await messagesOf(theirs, a)];
    ours.publish(a, { n: 1 });
    await eventually("our feed gets it", () => received.messages.length === 1);
    theirs.publish(a, { n: 2 });
    await eventually("their feed gets its own", () => leaked.messages.length > 0);
    expect([received.messages, leaked.messages]).toEqual([[1], [2]]);
  });

  test("messages published in one tick are sent in a few writes", async () => {
    const { proxy, near, far } = await openProxied();
    const received = await messagesOf(far, a);
    const before = proxy.writes();
    for (const n of upTo(500)) near.publish(a, { n });
    await eventually("all messages are received", () => received.messages.length === 500);
    expect(proxy.writes() - before).toBeLessThan(20);
  });

  test("a message that is not JSON is ignored", async () => {
    const prefix = `test-${randomUUID()}:`;
    const feed = await openRedis(prefix);
    const received = await messagesOf(feed, a);
    const redis = new Redis(redisUrl());
    await redis.publish(`${prefix}feed:a`, "{not JSON");
    redis.disconnect();
    feed.publish(a, { n: 1 });
    await eventually("the next message is received", () => received.messages.length === 1);
  });

  test("a killed connection is restored with its channels, and then the interruption is reported", async () => {
    const prefix = `test-${randomUUID()}:`;
    const redis = new Redis(redisUrl());
    const near = await openRedis(prefix);
    const killed = await clientIds(redis, prefix);
    const far = await openRedis(prefix);
    const received = await messagesOf(near, a, b);
    const { promise: interrupted, resolve } = Promise.withResolvers<undefined>();
    near.onInterruption(() => {
      far.publish(b, { n: 1 });
      resolve(undefined);
    });
    expect(killed).toHaveLength(2);
    for (const id of killed) await redis.client("KILL", "ID", id);
    redis.disconnect();
    await within(10_000, "the interruption is reported", interrupted);
    await eventually("the message published at that moment is received", () => received.messages.length === 1);
  });

  test("a removed interruption listener is not called", async () => {
    const { proxy, near } = await openProxied();
    const called: string[] = [];
    near.onInterruption(() => called.push("removed"))();
    near.onInterruption(() => called.push("kept"));
    await proxy.cut();
    await proxy.mend();
    await eventually("the other listener is called", () => called.length > 0);
    expect(called).toEqual(["kept"]);
  });

  test("subscribing while Redis is down waits for it, and gets messages from then on", async () => {
    const { proxy, near, far } = await openProxied();
    const first = await messagesOf(near, a);
    await proxy.cut();
    await eventually("it is noticed", () => !near.health().ok);
    const listening = Promise.all([messagesOf(near, a), messagesOf(near, b)]);
    const early = await Promise.race([listening, near.subscribe([], () => undefined).then(() => "still away")]);
    expect(early).toBe("still away");
    await proxy.mend();
    const [again, other] = await within(10_000, "listening", listening);
    far.publish(a, { n: 1 });
    far.publish(b, { n: 2 });
    await eventually("all get their message", () => first.messages.length + again.messages.length + other.messages.length === 3);
    expect(near.health()).toEqual({ ok: true });
  });

  test("publishing while Redis is down does not block, and unsent messages are not delivered later", async () => {
    const { proxy, near, far } = await openProxied();
    const received = await messagesOf(far, a);
    await proxy.cut();
    await eventually("it is noticed", () => !near.health().ok);
    for (const n of upTo(100_000)) near.publish(a, { n });
    await proxy.mend();
    await eventually("Redis is back", () => near.health().ok);
    near.publish(a, { n: -1 });
    await eventually("the feed works again", () => received.messages.includes(-1));
    expect(received.messages).toEqual([-1]);
  });

  test("a frozen Redis is detected, and the feed connects again", async () => {
    const { proxy, near, far } = await openProxied();
    const received = await messagesOf(near, a);
    const { promise: interrupted, resolve } = Promise.withResolvers<undefined>();
    near.onInterruption(() => resolve(undefined));
    proxy.freeze();
    await eventually("it is noticed", () => !near.health().ok, 15_000);
    await proxy.mend();
    await within(10_000, "the interruption is reported", interrupted);
    far.publish(a, { n: 1 });
    await eventually("it gets messages again", () => received.messages.length === 1);
  });

  test("wrong credentials stop the start with a one-line error", async () => {
    const url = Object.assign(new URL(redisUrl()), { username: "nobody", password: "wrong" }).href;
    const opening = openRedisFeed({ url, prefix: "test:", log });
    await expect(opening).rejects.toThrow(StartError);
    await expect(opening).rejects.toThrow(/^REDIS_URL: [^\n]+$/);
  });

  test("the start waits for a Redis that is not up yet", async () => {
    const proxy = closing(await openTcpProxy(redisUrl()));
    await proxy.cut();
    const opening = openRedis(undefined, proxy.url);
    await proxy.mend();
    expect((await within(10_000, "it opens", opening)).health()).toEqual({ ok: true });
  });
});

/** Returns the ids of the connections of one mesh's feeds. */
async function clientIds(redis: Redis, prefix: string): Promise<string[]> {
  const clients = ((await redis.client("LIST")) as string).split("\n");
  return clients.filter((line) => line.includes(`name=${prefix}feed`)).map((line) => /^id=(\d+)/.exec(line)![1]!);
}
