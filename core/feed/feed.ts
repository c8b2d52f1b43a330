/**
 * Defines the feed port, the fast path from a committed change to the gateways that deliver it to their sockets. The feed may lose messages
 * (Redis pub/sub does); subscribers read what they missed from the store. Adapters: `local.ts` (in process), `redis.ts`.
 */
import type { Health } from "../health.ts";

export interface Feed {
  /**
   * Sends to all current subscribers of this channel. Never waits and never throws. `message` is plain JSON and must not be changed
   * afterwards.
   */
  publish<M extends object>(channel: Channel<M>, message: NoInfer<M>): void;
  /** Subscribes. Messages published after the promise resolves are received, in each publisher's order. */
  subscribe<M extends object>(channels: readonly Channel<M>[], onMessage: (message: M, channel: string) => void): Promise<Subscription>;
  /**
   * Calls `listener` whenever messages may have been lost: the connection was down and is up again.
   * @returns a function that removes the listener
   */
  onInterruption(listener: () => void): () => void;
  health(): Health;
  close(): Promise<void>;
}

export interface Subscription {
  /** Unsubscribes. No message is received after the call. */
  stop(): void;
}

declare const carried: unique symbol;
/** A channel's name, typed with its messages so that publishers and subscribers agree on them. */
export type Channel<M extends object = object> = string & { readonly [carried]: M };
/** Declares a channel: `const revocationsChannel = channel<Revocation>("revocations")`. */
export const channel = <M extends object>(name: string): Channel<M> => name as Channel<M>;
