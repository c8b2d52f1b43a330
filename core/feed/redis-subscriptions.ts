/**
 * Subscribes to Redis channels on one connection. Each channel is subscribed once in Redis, and `subscribe` waits for its confirmation.
 * After a lost connection all channels are subscribed again before the interruption is reported.
 */
import type { Redis } from "ioredis";
import type { Logger } from "moleculer";
import type { Feed } from "./feed.ts";
import { notifyListeners, type MessageListener, type FeedListener } from "./listeners.ts";

/** A channel with at least one listener on this node. */
interface SubscribedChannel {
  readonly name: string;
  readonly listeners: Set<FeedListener>;
  /** Redis' confirmation on the current connection; replaced when the connection is lost. */
  confirmation: PromiseWithResolvers<undefined>;
  confirmed: boolean;
}

export interface RedisSubscriptions {
  readonly subscribe: Feed["subscribe"];
  readonly onInterruption: (listener: () => void) => () => void;
  /** Removes all channels and resolves pending confirmations. */
  readonly stop: () => void;
}

/** @param prefix  of the channel names in Redis */
export function redisSubscriptions(client: Redis, prefix: string, log: Logger): RedisSubscriptions {
  const channels = new Map<string, SubscribedChannel>();
  const interruptionListeners = new Set<{ readonly listener: () => void }>();

  /** Sends one SUBSCRIBE for all. Does nothing without a connection: the next connection starts by subscribing to every channel. */
  async function subscribeOnRedis(wanted: readonly SubscribedChannel[]): Promise<boolean> {
    if (client.status !== "ready") return false;
    try {
      if (wanted.length > 0) await client.subscribe(...wanted.map(({ name }) => prefix + name));
    } catch (error) {
      log.warn("Redis: can't subscribe", error);
      return false;
    }
    // Confirm these objects, not their names: a channel that was removed and added again meanwhile waits for its own confirmation.
    for (const channel of wanted) {
      channel.confirmed = true;
      channel.confirmation.resolve(undefined);
    }
    return true;
  }

  /** @returns the channels that are new and must be subscribed in Redis */
  function add(names: readonly string[], listener: FeedListener): SubscribedChannel[] {
    const fresh: SubscribedChannel[] = [];
    for (const name of names) {
      const channel = channels.get(name) ?? { name, listeners: new Set(), confirmation: Promise.withResolvers(), confirmed: false };
      if (channel.listeners.size === 0) fresh.push(channel);
      channels.set(name, channel);
      channel.listeners.add(listener);
    }
    return fresh;
  }

  function remove(names: readonly string[], listener: FeedListener): void {
    const unwanted: string[] = [];
    for (const name of names) {
      const channel = channels.get(name);
      if (channel?.listeners.delete(listener) !== true || channel.listeners.size > 0) continue;
      channels.delete(name);
      unwanted.push(prefix + name);
    }
    if (unwanted.length > 0 && client.status === "ready") client.unsubscribe(...unwanted).catch(() => undefined);
  }

  client.on("message", (prefixed: string, json: string) => {
    const name = prefixed.slice(prefix.length);
    const channel = channels.get(name);
    if (channel === undefined) return;
    const message = parsed(json);
    if (message === undefined) log.warn(`Not a feed message on ${prefixed}`);
    else notifyListeners(channel.listeners, message, name, (error) => log.error("a feed listener failed", error));
  });
  client.on("close", () => {
    for (const channel of channels.values()) {
      if (channel.confirmed) Object.assign(channel, { confirmed: false, confirmation: Promise.withResolvers() });
    }
  });
  client.on("ready", async () => {
    if (await subscribeOnRedis([...channels.values()])) for (const { listener } of [...interruptionListeners]) listener();
  });

  return {
    async subscribe(names, onMessage) {
      const listener = { onMessage: onMessage as MessageListener };
      void subscribeOnRedis(add(names, listener));
      for (const name of names) await channels.get(name)?.confirmation.promise;
      return { stop: () => remove(names, listener) };
    },
    onInterruption(listener) {
      const entry = { listener };
      interruptionListeners.add(entry);
      return () => interruptionListeners.delete(entry);
    },
    stop() {
      for (const { confirmation } of channels.values()) confirmation.resolve(undefined);
      channels.clear();
    },
  };
}

function parsed(json: string): object | undefined {
  try {
    return JSON.parse(json) as object;
  } catch {
    return undefined;
  }
}
