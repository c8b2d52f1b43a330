/**
 * The feed port: the fast way from whoever committed a change to the gateways whose sockets hear of it. It may lose messages
 * (Redis pub/sub does); whoever listens repairs from the store. Adapters: `local.ts` (in process), `redis.ts`.
 */
import type { Health } from "../health.ts";

export interface Feed {
  /** Sends to all who listen on this channel now; never waits, never throws. `message` is plain JSON and must not be changed afterwards. */
  publish<M extends object>(channel: Channel<M>, message: NoInfer<M>): void;
  /** Listens. When the promise resolves, whatever is published from then on is heard, in each publisher's order. */
  subscribe<M extends object>(channels: readonly Channel<M>[], onMessage: (message: M, channel: string) => void): Promise<Subscription>;
  /** Calls back whenever messages may have been missed (the connection was lost and is back). */
  onInterruption(listener: () => void): () => void;
  health(): Health;
  close(): Promise<void>;
}

export interface Subscription {
  /** Stops listening; nothing is heard after the call. */
  stop(): void;
}

declare const carried: unique symbol;
/** A channel's name, typed with the messages that go over it, so that publisher and listener agree on them. */
export type Channel<M extends object = object> = string & { readonly [carried]: M };
/** Names a channel: `const revocationsChannel = channel<Revocation>("revocations")`. */
export const channel = <M extends object>(name: string): Channel<M> => name as Channel<M>;
