/**
 * What the queue keeps in RabbitMQ, declared by every node: whichever starts first, no event finds its followers missing.
 *
 *     <name>.events (topic) ──▶ <name>.<group> ──▶ handler
 *                                    ▲    └─ failed ─▶ <name>.retry.<ms> ─ after that time ─▶ <name>.again (headers) ─┐
 *                                    └────────────────────────────────────────────────────────────────────────────────┘
 *                                         └─ failed too often, or nobody survived it ─▶ <name>.<group>.dead
 *
 * All queues are quorum queues, and what moves between them moves at least once.
 */
import type { Channel, Options } from "amqplib";
import { retryDelayMs, type ConsumerGroups, type RetryPolicy } from "./queue.ts";

/** RabbitMQ itself gives up on an event that it had to hand out again so often, for each time its process ended before an answer. */
export const redeliveryLimit = 20;
/** Dead letters are put back each time they are listed; RabbitMQ 4 would throw them away after 20 times. */
const listingLimit = 1_000_000;

export const rabbitNames = (name: string) => ({
  events: `${name}.events`,
  again: `${name}.again`,
  queue: (group: string) => `${name}.${group}`,
  retry: (delayMs: number) => `${name}.retry.${delayMs}`,
  dead: (group: string) => `${name}.${group}.dead`,
});
export type RabbitNames = ReturnType<typeof rabbitNames>;

/** The pauses between attempts, each once, ascending. */
export function retryDelays(retry: RetryPolicy): number[] {
  const delays = Array.from({ length: retry.attempts - 1 }, (_, failed) => retryDelayMs(retry, failed + 1));
  return [...new Set(delays)];
}

const quorum = (args: object): Options.AssertQueue => ({ durable: true, arguments: { "x-queue-type": "quorum", ...args } });
/** Without `reject-publish` a quorum queue may lose what it dead-letters when a broker falls. */
const deadLetteredTo = (exchange: string, key?: string): object => ({
  "x-dead-letter-exchange": exchange,
  ...(key === undefined ? {} : { "x-dead-letter-routing-key": key }),
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
});

/** A queue as it is declared. */
export interface DeclaredQueue {
  readonly name: string;
  readonly options: Options.AssertQueue;
}

export const retryQueues = (names: RabbitNames, retry: RetryPolicy): DeclaredQueue[] =>
  retryDelays(retry).map((delayMs) => ({
    name: names.retry(delayMs),
    options: quorum({ "x-message-ttl": delayMs, ...deadLetteredTo(names.again) }),
  }));

/** A group's dead letters, and its events. */
export const groupQueues = (names: RabbitNames, group: string): [dead: DeclaredQueue, queue: DeclaredQueue] => [
  { name: names.dead(group), options: quorum({ "x-delivery-limit": listingLimit }) },
  { name: names.queue(group), options: quorum({ "x-delivery-limit": redeliveryLimit, ...deadLetteredTo("", names.dead(group)) }) },
];

export async function declareTopology(channel: Channel, names: RabbitNames, groups: ConsumerGroups, retry: RetryPolicy): Promise<void> {
  await channel.assertExchange(names.events, "topic", { durable: true });
  await channel.assertExchange(names.again, "headers", { durable: true });
  for (const { name, options } of retryQueues(names, retry)) await channel.assertQueue(name, options);
  for (const [group, topics] of Object.entries(groups)) {
    for (const { name, options } of groupQueues(names, group)) await channel.assertQueue(name, options);
    await channel.bindQueue(names.queue(group), names.again, "", { group });
    for (const topic of topics) await channel.bindQueue(names.queue(group), names.events, topic);
  }
}
