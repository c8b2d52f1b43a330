/** Consumes a group's events. An event is acknowledged when its handler succeeded, or when it is stored in a retry or dead-letter queue. */
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import type { Logger } from "moleculer";
import { inOrigin } from "../request-context.ts";
import { retryDelayMs, type DurableEvent, type RetryPolicy } from "./queue.ts";
import { attemptsOf, eventOf, type ConfirmedSend } from "./rabbit-messages.ts";
import type { RabbitNames } from "./rabbit-topology.ts";

/** Objects that belong to one connection. */
export interface RabbitSession {
  readonly connection: ChannelModel;
  /** Ends the connection when this channel closes, so that both are set up again. */
  readonly watch: (channel: Channel) => void;
  readonly send: ConfirmedSend;
}

export interface Consumer {
  readonly group: string;
  readonly onEvent: (event: DurableEvent) => Promise<void>;
  readonly concurrency: number;
}

export interface Consumers {
  /** Starts on this connection. Call it again for each new connection. */
  readonly start: (session: RabbitSession, consumer: Consumer) => Promise<void>;
  /** Stops consuming and waits for the handlers in flight. */
  readonly stop: () => Promise<void>;
}

interface RabbitDelivery {
  readonly session: RabbitSession;
  readonly channel: Channel;
  readonly consumer: Consumer;
  readonly message: ConsumeMessage;
}

export function rabbitConsumers({ names, retry, log }: { names: RabbitNames; retry: RetryPolicy; log: Logger }): Consumers {
  const inFlight = new Set<Promise<void>>();
  const started = new Map<string, { readonly channel: Channel; readonly consumerTag: string }>();
  let stopping = false;

  async function start(session: RabbitSession, consumer: Consumer): Promise<void> {
    const channel = await session.connection.createChannel();
    session.watch(channel);
    await channel.prefetch(consumer.concurrency);
    const { consumerTag } = await channel.consume(names.queue(consumer.group), (message) => {
      if (stopping) return; // Not acknowledged, so RabbitMQ requeues it.
      // RabbitMQ cancelled the consumer because its queue moved or was deleted. Closing the channel starts over with a new connection.
      if (message === null) return void channel.close().catch(() => undefined);
      const delivering = deliver({ session, channel, consumer, message }).finally(() => inFlight.delete(delivering));
      inFlight.add(delivering);
    });
    started.set(consumer.group, { channel, consumerTag });
  }

  async function deliver(delivery: RabbitDelivery): Promise<void> {
    const { channel, message } = delivery;
    if (await runOrRetry(delivery)) ignoreClosedChannel(() => channel.ack(message));
  }

  /** @returns false if the event failed and is not stored in another queue yet */
  async function runOrRetry(delivery: RabbitDelivery): Promise<boolean> {
    try {
      const event = eventOf(delivery.message);
      return await inOrigin(event.origin, () => runHandler(delivery, event));
    } catch (error) {
      return retryOrDeadLetter(delivery, error); // The message is not an event.
    }
  }

  async function runHandler(delivery: RabbitDelivery, event: DurableEvent): Promise<boolean> {
    try {
      await delivery.consumer.onEvent(event);
      return true;
    } catch (error) {
      return retryOrDeadLetter(delivery, error);
    }
  }

  /** Sends a failed event to a retry queue or to the dead letters. */
  async function retryOrDeadLetter({ session, channel, consumer, message }: RabbitDelivery, error: unknown): Promise<boolean> {
    const { group } = consumer;
    const attempts = attemptsOf(message) + 1;
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 500);
    const isDead = attempts >= retry.attempts;
    log.warn(`event ${message.fields.routingKey} failed for ${group}, attempt ${attempts} of ${retry.attempts}: ${reason}`);
    try {
      if (isDead) await session.send("", names.dead(group), message.content, { attempts, reason, diedAt: Date.now() });
      else await session.send("", names.retry(retryDelayMs(retry, attempts)), message.content, { group, attempts, reason });
      return true;
    } catch (failure) {
      log.warn(`The failed event could not be stored for a retry, and will be delivered again: ${(failure as Error).message}`);
      ignoreClosedChannel(() => channel.nack(message));
      return false;
    }
  }

  return {
    start,
    async stop() {
      stopping = true;
      const consuming = [...started.values()];
      await Promise.allSettled(consuming.map(async ({ channel, consumerTag }) => channel.cancel(consumerTag)));
      await Promise.all(inFlight);
      // amqplib lets the close of the connection overtake frames of other channels. A round trip on each channel sends its acks first.
      await Promise.allSettled(consuming.map(async ({ channel }) => channel.prefetch(1)));
    },
  };
}

/** If the channel has closed meanwhile, RabbitMQ redelivers the event by itself. */
function ignoreClosedChannel(answer: () => void): void {
  try {
    answer();
  } catch {
    // The channel is closed.
  }
}
