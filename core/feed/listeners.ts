/** Handing one message to all who hear a channel: what both feed adapters do alike. */

/** Typed by the channel where it listens (`feed.ts`). */
export type MessageListener = (message: object, channel: string) => void;

/** One `listen`: the same function may listen twice. */
export interface FeedListener {
  readonly onMessage: MessageListener;
}

/** Tells all who hear the channel now. One that throws neither stops the others nor reaches the publisher. */
export function notifyListeners(
  listeners: ReadonlySet<FeedListener>,
  message: object,
  channel: string,
  onError: (error: unknown) => void,
): void {
  // A copy, for a hearer may start or stop listening: who starts now is not told, who was stopped isn't either.
  for (const listener of [...listeners]) {
    if (!listeners.has(listener)) continue;
    try {
      listener.onMessage(message, channel);
    } catch (error) {
      onError(error);
    }
  }
}
