/** The feed port's promises, on both adapters; then what only Redis can do wrong: losing its connection, freezing, refusing. */
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
/** What a channel brings from now on. */
async function heardOn(feed: Feed, ...channels: Channel<Numbered>[]): Promise<{ messages: number[]; stop: () => void }> {
  const messages: number[] = [];
  const subscription = await feed.subscribe(channels, ({ n }) => messages.push(n));
  return { messages, stop: () => subscription.stop() };
}
/** On many channels: publishes the moment `listen` has resolved, and waits until each is heard. */
async function publishOnceHeard(listener: Feed, publisher: Feed): Promise<void> {
  const heard = upTo(200).map(async (n) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const own = channel<Numbered>(`channel ${n}`);
    await listener.subscribe([own], resolve);
    publisher.publish(own, { n });
    expect(await promise).toEqual({ n });
  });
  await within(10_000, "all are heard", Promise.all(heard));
}
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

function promisesOfThePort(open: () => Promise<Feed>): void {
  describe("hearing", () => {
    test("all that is published after listen has resolved is heard, in order", async () => {
      const feed = await open();
      const heard = await heardOn(feed, a);
      for (const n of upTo(2000)) feed.publish(a, { n });
      await eventually("all are heard", () => heard.messages.length === 2000);
      expect(heard.messages).toEqual(upTo(2000));
    });

    test("a message published right after listen resolved is never missed", async () => {
      const feed = await open();
      await publishOnceHeard(feed, feed);
    });

    test("every listener of a channel hears it, and none of another's", async () => {
      const feed = await open();
      const [one, two, other] = [await heardOn(feed, a), await heardOn(feed, a), await heardOn(feed, b)];
      feed.publish(a, { n: 1 });
      feed.publish(b, { n: 2 });
      await eventually("all are heard", () => one.messages.length + two.messages.length + other.messages.length === 3);
      expect([one.messages, two.messages, other.messages]).toEqual([[1], [1], [2]]);
    });

    test("one listen takes many channels, and says on which it heard", async () => {
      const feed = await open();
      const heard: string[] = [];
      const channels = upTo(1000).map((n) => channel<object>(String(n)));
      await feed.subscribe(channels, (_, name) => heard.push(name));
      for (const one of channels) feed.publish(one, {});
      await eventually("all are heard", () => heard.length === 1000);
      expect(heard).toEqual(channels);
    });

    test("messages arrive as they were sent, whatever they hold", async () => {
      const feed = await open();
      const any = channel<object>("any");
      const sent = { text: 'ünïcødé 🙂 "\n', nested: { list: [1, null, { deep: true }] } };
      const { promise, resolve } = Promise.withResolvers<unknown>();
      await feed.subscribe([any], resolve);
      feed.publish(any, sent);
      expect(await within(5000, "it is heard", promise)).toEqual(sent);
    });
  });

  describe("stopping", () => {
    test("nothing is heard after stop, while others of the channel go on", async () => {
      const feed = await open();
      const [stopped, stays] = [await heardOn(feed, a), await heardOn(feed, a)];
      stopped.stop();
      feed.publish(a, { n: 1 });
      await eventually("the other hears it", () => stays.messages.length === 1);
      expect(stopped.messages).toEqual([]);
    });

    test("who stops and listens again at once misses nothing from then on", async () => {
      const feed = await open();
      for (const n of upTo(100)) {
        (await heardOn(feed, a)).stop();
        const { promise: heard, resolve } = Promise.withResolvers<unknown>();
        const again = await feed.subscribe([a], resolve);
        feed.publish(a, { n });
        expect(await within(5000, "it is heard", heard)).toEqual({ n });
        again.stop();
      }
    });

    test("stopping while a message is handed round keeps it from those not told yet", async () => {
      const feed = await open();
      const heard: string[] = [];
      await feed.subscribe([a], () => {
        heard.push("first");
        second.stop();
      });
      const second = await feed.subscribe([a], () => heard.push("second"));
      const last = await heardOn(feed, a);
      feed.publish(a, { n: 1 });
      await eventually("the last is told", () => last.messages.length === 1);
      expect(heard).toEqual(["first"]);
    });
  });

  describe("listeners' own doings", () => {
    test("one that throws neither stops the others nor reaches the publisher", async () => {
      const feed = await open();
      await feed.subscribe([a], () => {
        throw new Error("a listener's fault, on purpose");
      });
      const heard = await heardOn(feed, a);
      for (const n of upTo(3)) feed.publish(a, { n });
      await eventually("the other hears all", () => heard.messages.length === 3);
    });

    test("what one publishes while hearing comes after, for everybody", async () => {
      const feed = await open();
      await feed.subscribe([a], ({ n }) => {
        if (n === 1) feed.publish(a, { n: 2 });
      });
      const heard = await heardOn(feed, a);
      feed.publish(a, { n: 1 });
      await eventually("both are heard", () => heard.messages.length === 2);
      expect(heard.messages).toEqual([1, 2]);
    });
  });

  describe("closing", () => {
    test("a closed feed is silent and harms nobody", async () => {
      const feed = await open();
      const heard = await heardOn(feed, a);
      await feed.close();
      feed.publish(a, { n: 1 });
      heard.stop();
      expect(heard.messages).toEqual([]);
    });

    test("an open one is healthy", async () => {
      expect((await open()).health()).toEqual({ ok: true });
    });
  });
}

describe("The feed in process", () => promisesOfThePort(() => Promise.resolve(closing(openLocalFeed()))));
describeWith(["redis"], "The feed on Redis", () => promisesOfThePort(openRedis));

describeWith(["redis"], "The feed on Redis, its connection", () => {
  test("nodes hear each other, each publisher's messages in its order", async () => {
    const prefix = `test-${randomUUID()}:`;
    const [one, two, three] = [await openRedis(prefix), await openRedis(prefix), await openRedis(prefix)];
    const heard = await heardOn(three, a);
    for (const n of upTo(500)) {
      one.publish(a, { n });
      two.publish(a, { n: -n });
    }
    await eventually("all are heard", () => heard.messages.length === 1000);
    expect(heard.messages.filter((n) => n > 0)).toEqual(upTo(500));
    expect(heard.messages.filter((n) => n < 0)).toEqual(upTo(500).map((n) => -n));
  });

  test("when listen has resolved, what another node publishes is heard", async () => {
    const prefix = `test-${randomUUID()}:`;
    await publishOnceHeard(await openRedis(prefix), await openRedis(prefix));
  });

  test("a mesh with another prefix hears nothing", async () => {
    const [ours, theirs] = [await openRedis(), await openRedis()];
    const [heard, leaked] = [await heardOn(ours, a), await heardOn(theirs, a)];
    ours.publish(a, { n: 1 });
    await eventually("ours hears it", () => heard.messages.length === 1);
    theirs.publish(a, { n: 2 });
    await eventually("theirs hears its own", () => leaked.messages.length > 0);
    expect([heard.messages, leaked.messages]).toEqual([[1], [2]]);
  });

  test("what is published in one tick goes out in a few writes", async () => {
    const { proxy, near, far } = await openProxied();
    const heard = await heardOn(far, a);
    const before = proxy.writes();
    for (const n of upTo(500)) near.publish(a, { n });
    await eventually("all are heard", () => heard.messages.length === 500);
    expect(proxy.writes() - before).toBeLessThan(20);
  });

  test("something foreign on a channel is ignored", async () => {
    const prefix = `test-${randomUUID()}:`;
    const feed = await openRedis(prefix);
    const heard = await heardOn(feed, a);
    const redis = new Redis(redisUrl());
    await redis.publish(`${prefix}feed:a`, "{not JSON");
    redis.disconnect();
    feed.publish(a, { n: 1 });
    await eventually("the next is heard", () => heard.messages.length === 1);
  });

  test("a killed connection is made anew, its channels with it, and the interruption reported once they are", async () => {
    const prefix = `test-${randomUUID()}:`;
    const redis = new Redis(redisUrl());
    const near = await openRedis(prefix);
    const killed = await clientIds(redis, prefix);
    const far = await openRedis(prefix);
    const heard = await heardOn(near, a, b);
    const { promise: interrupted, resolve } = Promise.withResolvers<undefined>();
    near.onInterruption(() => {
      far.publish(b, { n: 1 });
      resolve(undefined);
    });
    expect(killed).toHaveLength(2);
    for (const id of killed) await redis.client("KILL", "ID", id);
    redis.disconnect();
    await within(10_000, "the interruption is reported", interrupted);
    await eventually("what was published right then is heard", () => heard.messages.length === 1);
  });

  test("who no longer wants to know of interruptions is not told", async () => {
    const { proxy, near } = await openProxied();
    const told: string[] = [];
    near.onInterruption(() => told.push("not this one"))();
    near.onInterruption(() => told.push("this one"));
    await proxy.cut();
    await proxy.mend();
    await eventually("the other is told", () => told.length > 0);
    expect(told).toEqual(["this one"]);
  });

  test("listening while Redis is away waits for it, and hears from then on", async () => {
    const { proxy, near, far } = await openProxied();
    const first = await heardOn(near, a);
    await proxy.cut();
    await eventually("it is noticed", () => !near.health().ok);
    const listening = Promise.all([heardOn(near, a), heardOn(near, b)]);
    const early = await Promise.race([listening, near.subscribe([], () => undefined).then(() => "still away")]);
    expect(early).toBe("still away");
    await proxy.mend();
    const [again, other] = await within(10_000, "listening", listening);
    far.publish(a, { n: 1 });
    far.publish(b, { n: 2 });
    await eventually("all hear", () => first.messages.length + again.messages.length + other.messages.length === 3);
    expect(near.health()).toEqual({ ok: true });
  });

  test("publishing while Redis is away costs nothing, and what could not be sent does not come late", async () => {
    const { proxy, near, far } = await openProxied();
    const heard = await heardOn(far, a);
    await proxy.cut();
    await eventually("it is noticed", () => !near.health().ok);
    for (const n of upTo(100_000)) near.publish(a, { n });
    await proxy.mend();
    await eventually("Redis is back", () => near.health().ok);
    near.publish(a, { n: -1 });
    await eventually("the feed works again", () => heard.messages.includes(-1));
    expect(heard.messages).toEqual([-1]);
  });

  test("a frozen Redis is noticed, and left for a connection that answers", async () => {
    const { proxy, near, far } = await openProxied();
    const heard = await heardOn(near, a);
    const { promise: interrupted, resolve } = Promise.withResolvers<undefined>();
    near.onInterruption(() => resolve(undefined));
    proxy.freeze();
    await eventually("it is noticed", () => !near.health().ok, 15_000);
    await proxy.mend();
    await within(10_000, "the interruption is reported", interrupted);
    far.publish(a, { n: 1 });
    await eventually("it hears again", () => heard.messages.length === 1);
  });

  test("wrong credentials end the start with one line", async () => {
    const url = Object.assign(new URL(redisUrl()), { username: "nobody", password: "wrong" }).href;
    const opening = openRedisFeed({ url, prefix: "test:", log });
    await expect(opening).rejects.toThrow(StartError);
    await expect(opening).rejects.toThrow(/^REDIS_URL: [^\n]+$/);
  });

  test("a Redis that is not there yet is waited for", async () => {
    const proxy = closing(await openTcpProxy(redisUrl()));
    await proxy.cut();
    const opening = openRedis(undefined, proxy.url);
    await proxy.mend();
    expect((await within(10_000, "it opens", opening)).health()).toEqual({ ok: true });
  });
});

/** The connections of one mesh's feeds. */
async function clientIds(redis: Redis, prefix: string): Promise<string[]> {
  const clients = ((await redis.client("LIST")) as string).split("\n");
  return clients.filter((line) => line.includes(`name=${prefix}feed`)).map((line) => /^id=(\d+)/.exec(line)![1]!);
}
