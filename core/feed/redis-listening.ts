/**
 * Listening to Redis channels on one connection: Redis is asked once a channel, `listen` waits for its confirmation, and when the
 * connection was lost everything is asked for again before the interruption is reported.
 */
import type { Redis } from "ioredis";
import type { Logger } from "moleculer";
import type { Feed } from "./feed.ts";
import { tell, type Hear, type Hearer } from "./hearers.ts";

/** A channel that someone here listens to. */
interface Channel {
  readonly name: string;
  readonly hearers: Set<Hearer>;
  /** Redis' confirmation on the present connection; made anew when that is lost. */
  confirmation: PromiseWithResolvers<undefined>;
  confirmed: boolean;
}

export interface Listening {
  readonly listen: Feed["listen"];
  readonly onInterruption: (noticed: () => void) => () => void;
  /** Lets go of everything; who still waits for a confirmation waits no longer. */
  readonly stop: () => void;
}

/** @param prefix  of the channels' names in Redis */
export function listening(client: Redis, prefix: string, log: Logger): Listening {
  const channels = new Map<string, Channel>();
  const watchers = new Set<{ readonly noticed: () => void }>();

  /** One SUBSCRIBE for all of them. Without a connection it does nothing: the next one begins by asking for all. */
  async function subscribe(wanted: readonly Channel[]): Promise<boolean> {
    if (client.status !== "ready") return false;
    try {
      if (wanted.length > 0) await client.subscribe(...wanted.map(({ name }) => prefix + name));
    } catch (error) {
      log.warn("Redis: can't listen", error);
      return false;
    }
    // The very objects that were asked for: a channel left and listened to again meanwhile waits for its own confirmation.
    for (const channel of wanted) {
      channel.confirmed = true;
      channel.confirmation.resolve(undefined);
    }
    return true;
  }

  /** @returns the channels that are new, so that Redis must be asked for them */
  function add(names: readonly string[], hearer: Hearer): Channel[] {
    const fresh: Channel[] = [];
    for (const name of names) {
      const channel = channels.get(name) ?? { name, hearers: new Set(), confirmation: Promise.withResolvers(), confirmed: false };
      if (channel.hearers.size === 0) fresh.push(channel);
      channels.set(name, channel);
      channel.hearers.add(hearer);
    }
    return fresh;
  }

  function remove(names: readonly string[], hearer: Hearer): void {
    const unwanted: string[] = [];
    for (const name of names) {
      const channel = channels.get(name);
      if (channel?.hearers.delete(hearer) !== true || channel.hearers.size > 0) continue;
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
    if (message === undefined) log.warn(`not a feed message on ${prefixed}`);
    else tell(channel.hearers, message, name, (error) => log.error("a feed listener failed", error));
  });
  client.on("close", () => {
    for (const channel of channels.values()) {
      if (channel.confirmed) Object.assign(channel, { confirmed: false, confirmation: Promise.withResolvers() });
    }
  });
  client.on("ready", async () => {
    if (await subscribe([...channels.values()])) for (const { noticed } of [...watchers]) noticed();
  });

  return {
    async listen(names, hear) {
      const hearer = { hear: hear as Hear };
      void subscribe(add(names, hearer));
      for (const name of names) await channels.get(name)?.confirmation.promise;
      return { stop: () => remove(names, hearer) };
    },
    onInterruption(noticed) {
      const watcher = { noticed };
      watchers.add(watcher);
      return () => watchers.delete(watcher);
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
