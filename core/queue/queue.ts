/**
 * Defines the queue port: durable events from a service's outbox to the services that follow them. A published event is delivered to every
 * group until its handler succeeds: at least once, in no particular order. An event that keeps failing becomes a dead letter, which an
 * operator can list and replay. Adapters: `local.ts` (rows in the embedded store), `rabbit.ts` (RabbitMQ quorum queues).
 */
import type { Origin } from "../request-context.ts";
import type { Health } from "../health.ts";
import type { Config } from "../config/config.ts";

export interface DurableEvent {
  /** Unique. An event that is published twice keeps its id. */
  readonly id: string;
  readonly topic: string;
  /** The entity that the event is about. Consumers keep the state with the highest `rev`. */
  readonly key: string;
  readonly rev: number;
  readonly payload: unknown;
  /** The request that caused the event, if any. */
  readonly origin?: Origin;
}

export interface DeadLetter {
  readonly event: DurableEvent;
  readonly group: string;
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly diedAt: number;
}

export interface QueueDepth {
  readonly group: string;
  readonly waiting: number;
  readonly dead: number;
}

/** Consumer groups with the topics they follow. All nodes know them, so that events are kept for a group that is not running. */
export type ConsumerGroups = { readonly [group: string]: readonly string[] };

export interface Queue {
  /**
   * Resolves when delivery to every group that follows the topic is guaranteed, whatever fails afterwards.
   * @throws Unavailable  the broker refused or can't be reached; publish again
   */
  publish(event: DurableEvent): Promise<void>;
  /**
   * Consumes the group's events with `onEvent`, at most `concurrency` (default 10) at a time on this node. A rejection is retried with
   * back-off.
   */
  consume(group: string, onEvent: (event: DurableEvent) => Promise<void>, options?: { concurrency?: number }): Promise<void>;
  /** Returns a group's newest dead letters, `limit` at most. */
  deadLetters(group: string, limit: number): Promise<DeadLetter[]>;
  /** Returns dead letters to their group's queue: all, or the one with this event id. @returns how many */
  replay(group: string, eventId?: string): Promise<number>;
  /**
   * Counts the waiting events and dead letters of each group, up to the adapter's limit. Events that wait for a retry may be left out.
   * @throws Unavailable
   */
  depths(): Promise<readonly QueueDepth[]>;
  health(): Health;
  /** Stops deliveries, waits for the handlers in flight, and closes. */
  close(): Promise<void>;
}

export interface RetryPolicy {
  /** Delay before the second attempt in milliseconds. Doubles for each further attempt, up to a minute. */
  readonly firstDelayMs: number;
  /** Number of failures after which the event becomes a dead letter. */
  readonly attempts: number;
}

export const retryPolicyOf = ({ EVENT_RETRY_MS, EVENT_ATTEMPTS }: Config): RetryPolicy => ({
  firstDelayMs: EVENT_RETRY_MS,
  attempts: EVENT_ATTEMPTS,
});

/** Delay in milliseconds after a failed attempt; `attempt` is 1 for the first. */
export const retryDelayMs = ({ firstDelayMs }: RetryPolicy, attempt: number): number => Math.min(firstDelayMs * 2 ** (attempt - 1), 60_000);

/** Reason of a dead letter whose handler never returned. */
export const neverAnswered = "its handler never answered: the process ended each time";
