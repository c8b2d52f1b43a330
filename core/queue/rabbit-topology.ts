/**
 * Declares the exchanges and queues in RabbitMQ. Every node declares all of them: whichever starts first, no event misses a group.
 *
 *     <name>.events (topic) ──▶ <name>.<group> ──▶ handler
 *                                    ▲    └─ failed ─▶ <name>.retry.<ms> ─ after that time ─▶ <name>.again (headers) ─┐
 *                                    └────────────────────────────────────────────────────────────────────────────────┘
 *                                         └─ failed too often, or always crashed its process ─▶ <name>.<group>.dead
 *
 * All queues are quorum queues, and messages move between them at least once.
 */
import type { Channel, Options } from "amqplib";
import { retryDelayMs, type ConsumerGroups, type RetryPolicy } from "./queue.ts";

/** Redeliveries after which RabbitMQ itself dead-letters an event; each one means that a process ended before it acknowledged. */
export const redeliveryLimit = 20;
/** Each listing returns the dead letters to their queue, and RabbitMQ 4 would drop them after 20 times. */
const listingLimit = 1_000_000;

export const rabbitNames = (name: string) => ({
  events: `${name}.events`,
  again: `${name}.again`,
  queue: (group: string) => `${name}.${group}`,
  retry: (delayMs: number) => `${name}.retry.${delayMs}`,
  dead: (group: string) => `${name}.${group}.dead`,
});
export type RabbitNames = ReturnType<typeof rabbitNames>;

/** The delays between attempts, without duplicates, ascending. */
export function retryDelays(retry: RetryPolicy): number[] {
  const delays = Array.from({ length: retry.attempts - 1 }, (_, failed) => retryDelayMs(retry, failed + 1));
  return [...new Set(delays)];
}

const quorum = (args: object): Options.AssertQueue => ({ durable: true, arguments: { "x-queue-type": "quorum", ...args } });
/** Without `reject-publish` a quorum queue may lose messages it dead-letters when a broker node fails. */
const deadLetteredTo = (exchange: string, key?: string): object => ({
  "x-dead-letter-exchange": exchange,
  ...(key === undefined ? {} : { "x-dead-letter-routing-key": key }),
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
});

/** A queue with the options of its declaration. */
export interface DeclaredQueue {
  readonly name: string;
  readonly options: Options.AssertQueue;
}

export const retryQueues = (names: RabbitNames, retry: RetryPolicy): DeclaredQueue[] =>
  retryDelays(retry).map((delayMs) => ({
    name: names.retry(delayMs),
    options: quorum({ "x-message-ttl": delayMs, ...deadLetteredTo(names.again) }),
  }));

/** The dead-letter queue and the event queue of a group. */
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
