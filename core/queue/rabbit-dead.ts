/** The dead letters of a group in RabbitMQ, read on a channel of their own: what is not acknowledged goes back when it closes. */
import type { ChannelModel, ConsumeMessage } from "amqplib";

/** Looked through at a time: who gave up on more has other worries, and their messages are held in memory. */
const maxRead = 10_000;
const quietMs = 2000;

/** @param look  sees the dead letters, oldest first, and acknowledges those to be removed */
export async function readDead<R>(
  connection: ChannelModel,
  queue: string,
  look: (messages: readonly ConsumeMessage[], remove: (message: ConsumeMessage) => void) => Promise<R> | R,
): Promise<R> {
  const channel = await connection.createChannel();
  channel.on("error", () => undefined); // Comes out of the call that was under way.
  try {
    await channel.prefetch(maxRead);
    const { messageCount } = await channel.checkQueue(queue);
    const expected = Math.min(messageCount, maxRead);
    const messages: ConsumeMessage[] = [];
    const { promise: read, resolve } = Promise.withResolvers<undefined>();
    // Another node may be looking at some of them just now.
    const quiet = setTimeout(() => resolve(undefined), expected === 0 ? 0 : quietMs);
    await channel.consume(queue, (message) => {
      if (message === null || messages.push(message) >= expected) resolve(undefined);
    });
    await read;
    clearTimeout(quiet);
    return await look(messages, (message) => channel.ack(message));
  } finally {
    await channel.close().catch(() => undefined);
  }
}
