/** The dead letters of a group in RabbitMQ, read on a channel of their own; what is not acknowledged goes back. */
import { setTimeout as pause } from "node:timers/promises";
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { startTimeout } from "../resilience/timeout.ts";

/** Looked through at a time: who gave up on more has other worries, and their messages are held in memory. */
const maxDeadLetters = 10_000;
const idleTimeoutMs = 2000;
const pollMs = 10;

/** @param inspect  sees the dead letters, oldest first, and acknowledges those to be removed */
export async function withDeadLetters<R>(
  connection: ChannelModel,
  queue: string,
  inspect: (messages: readonly ConsumeMessage[], remove: (message: ConsumeMessage) => void) => Promise<R> | R,
): Promise<R> {
  const channel = await connection.createChannel();
  channel.on("error", () => undefined); // Comes out of the call that was under way.
  try {
    await channel.prefetch(maxDeadLetters);
    const { messageCount } = await channel.checkQueue(queue);
    const expected = Math.min(messageCount, maxDeadLetters);
    const messages: ConsumeMessage[] = [];
    const removed = new Set<ConsumeMessage>();
    const { promise: read, resolve } = Promise.withResolvers<undefined>();
    // Another node may be looking at some of them just now.
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

/** RabbitMQ says nothing when they are back, and whoever looks right after would miss some: so they are waited for. */
async function returnToQueue(channel: Channel, queue: string, count: number): Promise<void> {
  if (count === 0) return;
  channel.nackAll();
  const until = performance.now() + idleTimeoutMs;
  while ((await channel.checkQueue(queue)).messageCount < count && performance.now() < until) await pause(pollMs);
}
