/** Reads a group's dead letters from RabbitMQ on a separate channel. Messages that are not acknowledged return to the queue. */
import { setTimeout as pause } from "node:timers/promises";
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { startTimeout } from "../resilience/timeout.ts";

/** Maximum number of dead letters that one call reads: they are held in memory. */
const maxDeadLetters = 10_000;
const idleTimeoutMs = 2000;
const pollMs = 10;

/** @param inspect  gets the dead letters, oldest first, and calls `remove` for those to acknowledge */
export async function withDeadLetters<R>(
  connection: ChannelModel,
  queue: string,
  inspect: (messages: readonly ConsumeMessage[], remove: (message: ConsumeMessage) => void) => Promise<R> | R,
): Promise<R> {
  const channel = await connection.createChannel();
  channel.on("error", () => undefined); // The pending call rejects with this error.
  try {
    await channel.prefetch(maxDeadLetters);
    const { messageCount } = await channel.checkQueue(queue);
    const expected = Math.min(messageCount, maxDeadLetters);
    const messages: ConsumeMessage[] = [];
    const removed = new Set<ConsumeMessage>();
    const { promise: read, resolve } = Promise.withResolvers<undefined>();
    // Another node may hold some of them at the moment.
    const cancelTimeout = startTimeout(expected === 0 ? 0 : idleTimeoutMs, () => resolve(undefined));
    const { consumerTag } = await channel.consume(queue, (message) => {
      if (message === null || messages.push(message) >= expected) resolve(undefined);
    });
    await read;
    cancelTimeout();
    await channel.cancel(consumerTag);
    const remove = (message: ConsumeMessage): void => {
      removed.add(message);
      channel.ack(message);
    };
    try {
      return await inspect(messages, remove);
    } finally {
      await returnToQueue(channel, queue, messages.length - removed.size);
    }
  } finally {
    await channel.close().catch(() => undefined);
  }
}

/** RabbitMQ does not report when the messages are back in the queue. Wait for them, or a caller that reads right away misses some. */
async function returnToQueue(channel: Channel, queue: string, count: number): Promise<void> {
  if (count === 0) return;
  channel.nackAll();
  const until = performance.now() + idleTimeoutMs;
  while ((await channel.checkQueue(queue)).messageCount < count && performance.now() < until) await pause(pollMs);
}
