/** Delivers a message to a channel's listeners, for both feed adapters. */

/** Untyped here; `subscribe` in `feed.ts` types it by the channel. */
export type MessageListener = (message: object, channel: string) => void;

/** One subscription. An object, since the same function may subscribe twice. */
export interface FeedListener {
  readonly onMessage: MessageListener;
}

/** Calls all current listeners. An error in one reaches neither the other listeners nor the publisher. */
export function notifyListeners(
  listeners: ReadonlySet<FeedListener>,
  message: object,
  channel: string,
  onError: (error: unknown) => void,
): void {
  // Iterate over a copy, since a listener may subscribe or unsubscribe others. New listeners don't get this message, and neither do removed
  // ones.
  for (const listener of [...listeners]) {
    if (!listeners.has(listener)) continue;
    try {
      listener.onMessage(message, channel);
    } catch (error) {
      onError(error);
    }
  }
}
