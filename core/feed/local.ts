/** The feed of an embedded server: messages are handed over in process, within the publisher's call and in the order published. */
import { inspect } from "node:util";
import type { Feed } from "./feed.ts";
import { tell, type Hear, type Hearer } from "./hearers.ts";

export function openLocalFeed(): Feed {
  const channels = new Map<string, Set<Hearer>>();
  const published: { readonly channel: string; readonly message: object }[] = [];
  let delivering = false;

  function deliverPublished(): void {
    delivering = true;
    for (let next = published.shift(); next !== undefined; next = published.shift()) {
      const hearers = channels.get(next.channel);
      if (hearers !== undefined) tell(hearers, next.message, next.channel, warn);
    }
    delivering = false;
  }

  function listenTo(channel: string, hearer: Hearer): void {
    const hearers = channels.get(channel) ?? new Set();
    channels.set(channel, hearers.add(hearer));
  }

  function leave(channel: string, hearer: Hearer): void {
    const hearers = channels.get(channel);
    if (hearers?.delete(hearer) === true && hearers.size === 0) channels.delete(channel);
  }

  return {
    publish(channel, message) {
      published.push({ channel, message });
      // What a hearer publishes comes after what is being delivered, so that all hear one order.
      if (!delivering) deliverPublished();
    },
    listen(names, hear) {
      const hearer = { hear: hear as Hear };
      for (const channel of names) listenTo(channel, hearer);
      return Promise.resolve({ stop: () => names.forEach((channel) => leave(channel, hearer)) });
    },
    onInterruption: () => () => undefined,
    health: () => ({ ok: true }),
    close() {
      channels.clear();
      return Promise.resolve();
    },
  };
}

const warn = (error: unknown): void => process.emitWarning(`a feed listener failed: ${inspect(error)}`);
