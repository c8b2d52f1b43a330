/**
 * The queue port: durable events from one service's outbox to the services that follow them. What was published is handed to
 * every group until its handler succeeds, at least once, in no promised order; what keeps failing becomes a dead letter that an
 * operator lists and replays. Adapters: `local.ts` (rows in the embedded store), `rabbit.ts` (RabbitMQ quorum queues).
 */
import type { Origin } from "../request-context.ts";
import type { Health } from "../health.ts";
import type { Config } from "../config/config.ts";

export interface DurableEvent {
  /** Unique; an event published twice keeps its id. */
  readonly id: string;
  readonly topic: string;
  /** Which entity the event is about, and its state's number: consumers keep the highest. */
  readonly key: string;
  readonly rev: number;
  readonly payload: unknown;
  /** The request that announced it, as far as one did. */
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

/** A consumer group and the topics it follows: known to all nodes, so that an event waits for a group that is not running. */
export type ConsumerGroups = { readonly [group: string]: readonly string[] };

export interface Queue {
  /**
   * Resolves when every group that follows the topic is sure to get the event, whatever falls after.
   * @throws Unavailable  the broker refused or can't be reached: publish again
   */
  publish(event: DurableEvent): Promise<void>;
  /** Handles the group's events, at most `concurrency` (default 10) at a time on this node. A rejection is retried with back-off. */
  consume(group: string, onEvent: (event: DurableEvent) => Promise<void>, options?: { concurrency?: number }): Promise<void>;
  /** The newest dead letters of a group, at most `limit`. */
  deadLetters(group: string, limit: number): Promise<DeadLetter[]>;
  /** Hands dead letters to their group again, all or the one with this event id. @returns how many */
  replay(group: string, eventId?: string): Promise<number>;
  /** How much each group has waiting and dead, as far as it is counted. Events that wait for their next attempt may be left out. @throws Unavailable */
  depths(): Promise<readonly QueueDepth[]>;
  health(): Health;
  /** Stops handing out events, waits for handlers under way, closes. */
  close(): Promise<void>;
}

export interface RetryPolicy {
  /** Milliseconds before the second attempt; doubled for each one after, at most a minute. */
  readonly firstDelayMs: number;
  /** After this many failures the event is a dead letter. */
  readonly attempts: number;
}

export const retryPolicyOf = ({ EVENT_RETRY_MS, EVENT_ATTEMPTS }: Config): RetryPolicy => ({
  firstDelayMs: EVENT_RETRY_MS,
  attempts: EVENT_ATTEMPTS,
});

/** How long to wait after the attempt with this number (1 for the first) failed. */
export const retryDelayMs = ({ firstDelayMs }: RetryPolicy, attempt: number): number => Math.min(firstDelayMs * 2 ** (attempt - 1), 60_000);

/** The reason of a dead letter that no attempt answered. */
export const neverAnswered = "its handler never answered: the process ended each time";
