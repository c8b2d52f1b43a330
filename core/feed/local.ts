/** Delivers an embedded server's feed in process, within the publisher's call and in the order of publication. */
import { inspect } from "node:util";
import type { Feed } from "./feed.ts";
import { notifyListeners, type MessageListener, type FeedListener } from "./listeners.ts";

export function openLocalFeed(): Feed {
  const channels = new Map<string, Set<FeedListener>>();
  const queued: { readonly channel: string; readonly message: object }[] = [];
  let isDelivering = false;

  function deliverQueued(): void {
    isDelivering = true;
    for (let next = queued.shift(); next !== undefined; next = queued.shift()) {
      const listeners = channels.get(next.channel);
      if (listeners !== undefined) notifyListeners(listeners, next.message, next.channel, warn);
    }
    isDelivering = false;
  }

  function addListener(channel: string, listener: FeedListener): void {
    const listeners = channels.get(channel) ?? new Set();
    channels.set(channel, listeners.add(listener));
  }

  function removeListener(channel: string, listener: FeedListener): void {
    const listeners = channels.get(channel);
    if (listeners?.delete(listener) === true && listeners.size === 0) channels.delete(channel);
  }

  return {
    publish(channel, message) {
      queued.push({ channel, message });
      // A message published by a listener follows the one being delivered, so that all listeners receive the same order.
      if (!isDelivering) deliverQueued();
    },
    subscribe(names, onMessage) {
      const listener = { onMessage: onMessage as MessageListener };
      for (const channel of names) addListener(channel, listener);
      return Promise.resolve({ stop: () => names.forEach((channel) => removeListener(channel, listener)) });
    },
    onInterruption: () => () => undefined,
    health: () => ({ ok: true }),
    close() {
      channels.clear();
      return Promise.resolve();
    },
  };
}

const warn = (error: unknown): void => process.emitWarning(`A feed listener failed: ${inspect(error)}`);
